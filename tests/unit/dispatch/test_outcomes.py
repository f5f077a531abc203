"""Outcome classes × capability, row by row of the design's tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.outcomes import (
    Attempt,
    Keyed,
    Result,
    Step,
    Unkeyed,
    Verdict,
    back_off,
    next_step,
    on_unknown,
)

KEYED, ONCE, TWICE_MORE = Keyed(ttl=100, margin=10), Unkeyed(), Unkeyed(resends=2)


def attempt(attempts: int = 0, age: float = 0, *, in_doubt: bool = False, token: int = 1) -> Attempt:
    return Attempt("m1", token, attempts, 3, age, in_doubt)


def step(result: Result, **verdict: object) -> Step:
    return next_step(Verdict(result, **verdict), ONCE, attempt())  # type: ignore[arg-type]


def test_accepted_is_sent() -> None:
    assert step(Result.ACCEPTED) == Step(Move.ACCEPTED)


def test_refused_goes_back_to_the_queue_with_back_off() -> None:
    refused = step(Result.REFUSED)
    assert (refused.move, refused.burned, refused.in_doubt) == (Move.RETURNED, True, False)
    assert 0.8 <= refused.delay <= 1.2


def test_refused_at_the_last_attempt_fails() -> None:
    assert next_step(Verdict(Result.REFUSED), ONCE, attempt(2)).move is Move.REJECTED


def test_an_outage_burns_no_attempt_and_backs_off_by_how_often_it_was_tried() -> None:
    out = next_step(Verdict(Result.REFUSED, outage=True), ONCE, attempt(2, token=40))
    assert (out.move, out.burned) == (Move.RETURNED, False)
    assert 240 <= out.delay <= 360


def test_refused_at_the_last_attempt_of_a_message_in_doubt_is_unknown() -> None:
    assert next_step(Verdict(Result.REFUSED), KEYED, attempt(2, in_doubt=True)).move is Move.LOST


def test_throttled_burns_no_attempt_and_waits_as_told() -> None:
    throttled = step(Result.THROTTLED, retry_after=42.0)
    assert (throttled.move, throttled.burned, throttled.delay) == (Move.RETURNED, False, 42.0)
    assert next_step(Verdict(Result.THROTTLED), ONCE, attempt(99)).move is Move.RETURNED


@pytest.mark.parametrize("suppress", [True, False])
def test_permanent_fails_and_suppresses_where_the_code_says_so(suppress: bool) -> None:
    permanent = step(Result.PERMANENT, suppress=suppress)
    assert (permanent.move, permanent.suppress) == (Move.REJECTED, suppress)


def test_config_stops_the_provider_and_loses_nothing() -> None:
    config = step(Result.CONFIG)
    assert (config.move, config.stop, config.burned) == (Move.RETURNED, True, False)


def test_unsent_costs_nothing() -> None:
    assert step(Result.UNSENT) == Step(Move.RETURNED, "unsent", burned=False)


def test_unknown_with_a_key_is_resent_while_the_key_is_fresh() -> None:
    assert on_unknown(KEYED, attempt(age=89)).move is Move.RESEND
    assert on_unknown(KEYED, attempt(age=90)).move is Move.EXPIRED


def test_unknown_without_a_key_stays_unknown() -> None:
    lost = on_unknown(ONCE, attempt())
    assert (lost.move, lost.in_doubt) == (Move.LOST, True)


def test_unknown_at_least_once_is_resent_up_to_n() -> None:
    moves = [on_unknown(TWICE_MORE, attempt(n)).move for n in range(4)]
    assert moves == [Move.RESEND, Move.RESEND, Move.LOST, Move.LOST]


@given(
    st.sampled_from(Result),
    st.sampled_from([KEYED, ONCE, TWICE_MORE]),
    st.integers(0, 40),
    st.floats(0, 1e6),
    st.booleans(),
)
def test_every_case_has_a_step_and_only_keys_and_policy_resend_in_doubt(
    result: Result, capability: Keyed | Unkeyed, attempts: int, age: float, in_doubt: bool
) -> None:
    made = next_step(Verdict(result), capability, attempt(attempts, age, in_doubt=in_doubt))
    if made.move is Move.RESEND:
        assert result is Result.UNKNOWN
        assert capability != ONCE
    if result is Result.UNKNOWN:
        assert made.move in {Move.RESEND, Move.LOST, Move.EXPIRED}
        assert made.in_doubt
    assert 0 <= made.delay <= 360


def test_back_off_doubles_and_differs_between_messages() -> None:
    assert back_off(attempt(10)) > 100 * back_off(attempt(0))
    assert len({back_off(Attempt(f"m{n}", 1, 3, 9, 0)) for n in range(50)}) == 50
