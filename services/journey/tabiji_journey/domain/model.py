"""The values of the journey domain: an enrollment, what may happen to it, and what it asks for.

Everything here is frozen, compares by value and knows nothing of a clock, a database or a log. Times are aware UTC.
Mappings are never changed once they stand in one of these. They are msgspec's structs: one of the width of
``Enrollment`` is made in a fifth of the time that a frozen dataclass takes, and every transition makes a few.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

import msgspec
from msgspec import field
from msgspec.structs import asdict

FAULTY = "definition_error"
"""Why somebody leaves or does not enter: a condition of the definition failed to evaluate."""

Status = Literal["waiting", "finished", "exited"]
TimerKind = Literal["wake", "timeout", "deadline", "unknown_wait"]
OutcomeState = Literal["sent", "suppressed", "failed", "unknown", "delivered"]
MoveKind = Literal["entered", "moved", "finished", "exited", "converted", "suppressed", "corrected"]
Cause = Literal["event", "timer", "outcome", "command", "entry", "revoked"]
CommandKind = Literal["exit", "pause", "resume", "revoke"]

Correlation = tuple[str, str]
"""("cart" | "order" | "message", its id); an event of a correlated type without that id is kept under the id ``""``."""


class Ids(msgspec.Struct, frozen=True):
    """Whose journey it is; ``erased_at`` tells who comes back from who had the id until then and was forgotten."""

    workspace: str
    customer: str
    erased_at: datetime | None = None


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """The event an enrollment began with; ``context`` holds only the fields that its definition reads later."""

    id: str
    type: str
    occurred_at: datetime
    order_id: str | None = None
    cart_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


class MessageRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """The latest message of a send state; ``outcome`` is ``None`` until one is known."""

    message_key: str
    visit: int
    decided_at: datetime
    outcome: OutcomeState | None = None
    reason: str = ""
    sent_at: datetime | None = None


class Timer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one timer of a waiting enrollment.

    ``local`` (ISO, without offset) and ``zone`` are the civil time it stands for, where it stands for one;
    ``due_at`` is the instant that ``civil`` made of it.
    """

    due_at: datetime
    kind: TimerKind
    local: str | None = None
    zone: str | None = None


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last occurrence of an event type that ended a wait of this enrollment; it ends no other."""

    occurred_at: datetime
    id: str


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an enrollment has come: what its row keeps in one column.

    visit         number of the current state visit, from 1; grows with every state entered
    seq           number of transitions so far, from 1; every ``Moved`` has its own
    waited        a ``wait`` has been stopped at (sends before that are released under ``revoke_check``)
    messages      latest message by send state
    matched       by event type, the last occurrence that ended a wait
    goal_at       when the goal was reached (business time)
    goal_until    the last instant that counts for the goal, also after the end
    """

    visit: int
    seq: int
    trigger: Trigger
    holdout: bool = False
    paused: bool = False
    waited: bool = False
    arms: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, MessageRef] = field(default_factory=dict)
    matched: Mapping[str, Match] = field(default_factory=dict)
    waiting_since: datetime | None = None
    timer: Timer | None = None
    goal_at: datetime | None = None
    goal_until: datetime | None = None


class Enrollment(Progress, frozen=True, kw_only=True):
    """One customer in one journey. Waiting ⇔ it has a timer; finished and exited are final.

    Its own fields are columns of its row. ``exit_reason`` is why it ended (the ``end`` state's name for finished ones).
    """

    id: str
    workspace: str
    customer: str
    journey: str
    version: int
    key: str
    status: Status
    state: str
    entered_at: datetime
    ended_at: datetime | None = None
    exit_reason: str = ""

    def progress(self) -> bytes:
        """What has no column of its own: MessagePack by field name, or JSON where a number is too large for it."""
        progress = Progress(*_PARTS(self))
        try:
            return _ENCODER.encode(progress)
        except OverflowError:
            return msgspec.json.encode(progress)

    @classmethod
    def of_row(cls, progress: bytes, **columns: Any) -> Enrollment:
        """The enrollment of a row; the inverse of ``progress``."""
        return cls(**columns, **asdict(read_progress(progress)))


def read_progress(progress: bytes) -> Progress:
    """The inverse of ``Enrollment.progress``; rows of before migration 0005 are JSON."""
    return _JSON.decode(progress) if progress.startswith(b"{") else _DECODER.decode(progress)


_PARTS = attrgetter(*Progress.__struct_fields__)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Progress)
_JSON = msgspec.json.Decoder(Progress)


class EventInput(msgspec.Struct, frozen=True):
    """An event of this customer. ``context`` is what conditions see as ``event.*``: plain values, no personal data.

    ``type`` and ``occurred_at`` are added to it by the domain. ``machine`` marks opens and clicks of scanners.
    """

    id: str
    type: str
    occurred_at: datetime
    accepted_at: datetime
    context: Mapping[str, Any] = field(default_factory=dict)
    order_id: str | None = None
    cart_id: str | None = None
    message_key: str | None = None
    machine: bool = False
    mode: str = "live"
    anonymous: bool = False


class TimerInput(msgspec.Struct, frozen=True):
    """The timer of visit ``visit`` came due; one that is not the enrollment's current timer does nothing.

    ``fired_at`` is the business clock when it was fired (``None``: on time); it only serves to tell lateness.
    """

    due_at: datetime
    kind: TimerKind
    visit: int
    fired_at: datetime | None = None


class OutcomeInput(msgspec.Struct, frozen=True):
    """Dispatch says what became of a message; ``at`` is its sent_at for ``sent``. ``id`` is the record's."""

    message_key: str
    state: OutcomeState
    at: datetime
    reason: str = ""
    id: str = ""


class CommandInput(msgspec.Struct, frozen=True):
    """A person or the pipeline asks: exit, pause, resume, or revoke (``revoke_check`` gave ``reason``)."""

    kind: CommandKind
    id: str = ""
    reason: str = ""


Input = EventInput | TimerInput | OutcomeInput | CommandInput


class Send(msgspec.Struct, frozen=True):
    """Ask dispatch for a message. Its record's id is ``message_key``; ``template`` is ``<journey>/<template>``."""

    enrollment: str
    journey: str
    version: int
    message_key: str
    state: str
    visit: int
    channel: str
    template: str
    message_class: Literal["marketing", "transactional"]
    provider: str | None
    decided_at: datetime
    not_after: datetime
    variables: Mapping[str, Any]
    priority: int
    before_first_wait: bool


class Cancel(msgspec.Struct, frozen=True):
    """Take a message back: withdraw its row where it is still held, else emit ``cancel(message_key)``."""

    enrollment: str
    message_key: str
    reason: str


class Moved(msgspec.Struct, frozen=True):
    """A transition, field by field what goes on journey.transition.v1."""

    enrollment: str
    journey: str
    version: int
    key: str
    kind: MoveKind
    at: datetime
    seq: int
    from_state: str | None
    to_state: str | None
    cause: Cause
    cause_id: str
    reason: str
    holdout: bool
    arms: Mapping[str, str]
    message_key: str | None = None


Effect = Send | Cancel | Moved


class Entered(msgspec.Struct, frozen=True):
    """What a trigger did: a new enrollment or the reason (``refused``) why there is none.

    ``restarted`` are running enrollments that it ended; ``effects`` are those of all of them, in order.
    """

    enrollment: Enrollment | None
    restarted: tuple[Enrollment, ...] = ()
    effects: tuple[Effect, ...] = ()
    refused: str = ""


class Occurrence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What memory keeps of an event: when it happened, its record id, and the fields that a ``when`` reads."""

    occurred_at: datetime
    id: str
    order_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    cart_id: str | None = None
