"""Write keys: who may come in, how often, and how much at once."""

import pytest

from tabiji_common.topics import Mode
from tabiji_ingest.domain.access import Bucket, Flight, Limiter, WriteKey, check_mode, check_workspace, read_basic
from tabiji_ingest.domain.refusal import Kind, Refusal
from tests.unit.ingest.support import basic

KEY = WriteKey(b"1", "demo", Mode.LIVE)
HISTORY = WriteKey(b"2", "demo", Mode.BACKFILL)


def test_the_user_of_basic_is_the_write_key() -> None:
    assert read_basic(basic("KEY")["Authorization"]) == "KEY"
    assert read_basic("basic S0VZOg==") == "KEY"


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic ", "Basic !!!", "Bearer KEY", "Basic S0VZ", "Basic Og==", "Basic /////w==",
     basic("KEY", "secret")["Authorization"]],
)  # fmt: skip
def test_anything_else_is_refused(header: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        read_basic(header)
    assert refused.value.kind is Kind.AUTH


@pytest.mark.parametrize(("header", "rule"), [("Basic Og==", "is empty"), ("Basic Ok5P", "must be Basic")])
def test_an_empty_key_is_told_apart(header: str, rule: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_basic(header)
    assert refused.value.rule.startswith(rule)


def test_history_needs_a_key_of_its_own_which_takes_nothing_else() -> None:
    assert check_mode(None, KEY, batch=True) is Mode.LIVE
    assert check_mode("live", KEY, batch=False) is Mode.LIVE
    assert check_mode("backfill", HISTORY, batch=True) is Mode.BACKFILL
    for text, key, batch in (
        ("backfill", KEY, True),
        (None, HISTORY, True),
        ("live", HISTORY, True),
        ("backfill", HISTORY, False),
        ("replay", KEY, True),
        ("", KEY, True),
    ):
        with pytest.raises(Refusal) as refused:
            check_mode(text, key, batch=batch)
        assert refused.value.kind is Kind.SCOPE


def test_a_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(rate=10, burst=3, tokens=3, seen=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.11) == 0.0
    assert bucket.take(100.0) == 0.0
    assert bucket.tokens == 2.0


def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_others_are_not_slowed() -> None:
    limiter = Limiter(rate=0.5, burst=1)
    limiter.check(KEY, 0.0)
    with pytest.raises(Refusal) as refused:
        limiter.check(KEY, 0.0)
    assert (refused.value.kind, refused.value.retry_after) == (Kind.RATE, 2)
    limiter.check(HISTORY, 0.0)


def test_a_rate_of_nothing_sets_no_limit() -> None:
    limiter = Limiter(rate=0, burst=1)
    for _ in range(100):
        limiter.check(KEY, 0.0)


def test_flight_is_bounded_and_given_back() -> None:
    flight = Flight(100)
    flight.take(60)
    with pytest.raises(Refusal) as refused:
        flight.take(41)
    assert (refused.value.kind, refused.value.retry_after) == (Kind.BUSY, 1)
    flight.give_back(60)
    flight.take(100)


@pytest.mark.parametrize("name", ["", "Demo", "a:b", "a b", "-a", "x" * 64])
def test_a_workspace_has_a_name_that_a_key_can_hold(name: str) -> None:
    check_workspace("demo-1_x")
    with pytest.raises(ValueError, match="workspace"):
        check_workspace(name)
