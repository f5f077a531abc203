"""The state machine: every state has a row, and truth is never refused."""

import pytest

from tabiji_dispatch.domain.ledger import FINISHED, TABLE, UNFINISHED, Move, State, after, rows, sources


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(State)


def test_every_move_leaves_some_state() -> None:
    assert {move for row in TABLE.values() for move in row} == set(Move)


@pytest.mark.parametrize("state", sorted(set(State) - {State.SENT}))
def test_the_providers_word_that_it_has_the_message_is_taken_in_every_state(state: State) -> None:
    assert after(state, Move.ACCEPTED) is State.SENT


def test_what_is_sent_stays_sent() -> None:
    assert TABLE[State.SENT] == {}


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_what_is_finished_is_sent_again_by_a_person_only(state: State) -> None:
    back = {move for move, to in TABLE[state].items() if to in UNFINISHED}
    assert back <= {Move.TELL_RESEND}


def test_an_intent_starts_from_the_queue_only() -> None:
    assert sources(Move.CLAIM) == ("queued",)


def test_a_message_with_an_intent_is_not_recalled() -> None:
    assert after(State.SENDING, Move.SUPPRESS) is None
    assert after(State.SENDING, Move.HOLD) is None


def test_a_message_in_doubt_is_never_called_suppressed() -> None:
    assert {after(state, Move.DOUBT) for state in (State.QUEUED, State.HELD)} == {State.UNKNOWN}


def test_an_attempt_ends_in_every_way_from_sending() -> None:
    assert set(TABLE[State.SENDING]) == {
        Move.ACCEPTED,
        Move.RETURNED,
        Move.REJECTED,
        Move.LOST,
        Move.RESEND,
        Move.EXPIRED,
    }


def test_the_rows_for_sql_are_the_table() -> None:
    flat = list(zip(*rows(), strict=True))
    assert len(flat) == len(set(flat)) == sum(map(len, TABLE.values()))
    assert all(TABLE[State(one)][Move(move)] == to for one, move, to in flat)
