"""The delivery's state machine as a table: every state has a row, terminal ones too."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    HELD = "held"
    SENDING = "sending"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Move(StrEnum):
    """What may happen to a delivery."""

    CLAIM = "claim"  # the intent is written, with a new token
    HOLD = "hold"  # not now, for a reason that will pass
    RELEASE = "release"  # the reason has passed
    SUPPRESS = "suppress"  # decided not to send
    DOUBT = "doubt"  # the same, of a message that an earlier attempt may have sent
    FAIL = "fail"  # cannot be sent as it is (no template, no provider)
    ACCEPTED = "accepted"  # the provider took it
    RETURNED = "returned"  # the provider took nothing
    REJECTED = "rejected"  # the provider never will
    LOST = "lost"  # nobody can know, and nothing is ahead
    RESEND = "resend"  # nobody can know, and the same key goes out again
    EXPIRED = "expired"  # nobody can know, and the provider has forgotten the key
    TELL_SENT = "tell_sent"  # a person says so
    TELL_FAILED = "tell_failed"
    TELL_RESEND = "tell_resend"


_Q, _H, _S = State.QUEUED, State.HELD, State.SENDING
_TOLD = {Move.TELL_SENT: State.SENT, Move.TELL_FAILED: State.FAILED, Move.TELL_RESEND: _Q}

# The provider's word about the newest attempt is taken in every state: truth is never refused. What is finished is not
# sent again by itself, so a late "nothing was taken" ends as failed.
TABLE: dict[State, dict[Move, State]] = {
    State.QUEUED: {
        Move.CLAIM: _S,
        Move.HOLD: _H,
        Move.SUPPRESS: State.SUPPRESSED,
        Move.DOUBT: State.UNKNOWN,
        Move.FAIL: State.FAILED,
        Move.ACCEPTED: State.SENT,
        Move.RETURNED: _Q,
        Move.REJECTED: State.FAILED,
    },
    State.HELD: {
        Move.RELEASE: _Q,
        Move.SUPPRESS: State.SUPPRESSED,
        Move.DOUBT: State.UNKNOWN,
        Move.ACCEPTED: State.SENT,
        Move.REJECTED: State.FAILED,
        **_TOLD,
    },
    State.SENDING: {
        Move.ACCEPTED: State.SENT,
        Move.RETURNED: _Q,
        Move.REJECTED: State.FAILED,
        Move.LOST: State.UNKNOWN,
        Move.RESEND: _Q,
        Move.EXPIRED: _H,
    },
    State.SENT: {},
    State.SUPPRESSED: {Move.ACCEPTED: State.SENT},
    State.FAILED: {Move.ACCEPTED: State.SENT},
    State.UNKNOWN: {
        Move.ACCEPTED: State.SENT,
        Move.RETURNED: State.FAILED,
        Move.REJECTED: State.FAILED,
        **_TOLD,
    },
}

# Later messages of that customer, channel and class may go ahead of these. An unknown one rests: what is sent again
# is queued.
FINISHED = frozenset({State.SENT, State.SUPPRESSED, State.FAILED, State.UNKNOWN})
UNFINISHED = frozenset(State) - FINISHED


def after(state: State, move: Move) -> State | None:
    """The state that ``move`` leads to, or ``None`` where it changes nothing."""
    return TABLE[state].get(move)


def sources(move: Move) -> tuple[str, ...]:
    """The states that ``move`` may leave."""
    return tuple(state.value for state, row in TABLE.items() if move in row)


def rows() -> tuple[list[str], list[str], list[str]]:
    """The table as three columns (from, move, to), for SQL that applies it."""
    flat = [(state.value, move.value, to.value) for state, row in TABLE.items() for move, to in row.items()]
    return [one for one, _, _ in flat], [one for _, one, _ in flat], [one for _, _, one in flat]
