"""What the runtime hands to a stateful service in one transaction, and what the service hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from tabiji_common.clock import FOREVER
from tabiji_common.errors import Reject
from tabiji_common.postgres import Connection
from tabiji_common.topics import TOPICS, Mode, Record, Topic


@dataclass(slots=True)
class Received:
    """A record as read from the log; the payload is decoded on first use of ``body``.

    ``day`` is the day of the client's raw timestamp or else of receipt: with the identity it is the inbox's key.
    ``fault`` says what is wrong with its key or headers; then ``body`` cannot be read.
    """

    topic: str
    partition: int
    offset: int
    appended_at: datetime
    key: str
    id: str
    type: str
    source: str
    occurred_at: datetime
    accepted_at: datetime
    mode: Mode
    body_hash: str
    value: bytes
    day: date = date.min
    fault: str = ""
    _body: Any = None

    @property
    def body(self) -> Any:
        """The payload; raises ``Reject`` where it cannot be read."""
        if self._body is None:
            if self.fault:
                raise Reject(self.fault, "headers")
            topic: Topic[Any] = TOPICS[self.topic]
            self._body = topic.decode(self.type, self.value)
        return self._body


@dataclass(frozen=True, slots=True)
class Turn:
    """One transaction's worth of work for the partition numbers in ``owned``.

    records     merged over all topics in append order; repeats and parked customers' records are already taken out
    now         business time; while the clock is not believed (``clock_guard``), what the machine's makes of it
    fire_until  by partition number, the instant up to which timers may fire: everything that the log held when that
                instant was seen has been applied before this turn or is in ``records``; numbers without a barrier are
                absent
    offsets     next offset by (topic, partition number) once this turn is committed
    released    message keys of sends whose barrier has passed: they go out after this commit unless
                ``Applied.withdrawn`` names them
    held        message keys of sends that wait for their barrier and have not been handed to the producer
    inherited   those of them that an earlier owner wrote: it may have published them and not said so any more, so who
                withdraws one has to cancel it as well
    cluster     the Kafka cluster's id
    timer_budget  the most timers that this turn may fire (``Applied.fired`` says how many it did); ``None`` for any
                  number. Those that an event of the same customer makes necessary fire beyond it
    limit       no timer may fire beyond it, not even one that an event makes necessary: the clock is believed no
                further, or all timers of the group are paused
    """

    records: list[Received]
    now: datetime
    owned: frozenset[int]
    fire_until: dict[int, datetime]
    offsets: dict[tuple[str, int], int]
    cluster: str
    released: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    inherited: frozenset[str] = frozenset()
    timer_budget: int | None = None
    limit: datetime = FOREVER
    only: frozenset[str] | None = None
    asked: set[str] = field(default_factory=set)

    def takes(self, key: str) -> bool:
        """Whether to work on this customer although it may have no record here (a timer, a message).

        Ask before the work: if PostgreSQL refuses a value then, the runtime finds out whose it is by asking for some of
        these customers ``only``, and parks the one.
        """
        self.asked.add(key)
        return self.only is None or key in self.only


@dataclass(slots=True)
class Applied:
    """What a service wants written and sent because of a turn.

    records    go into the outbox, in this order, and to Kafka after the commit
    sends      the same, but each waits for its barrier (``id`` is the message key); records of that customer that come
               later wait behind it
    withdrawn  message keys out of ``Turn.held``: their rows are deleted, nothing is sent
    rejected   (record, reason): dead-lettered
    parked     customer key → error: the customer's records, from this turn on, are kept in order until unparked
    again      more of the same is due at once (timers left over a batch limit)
    fired      timers fired
    notes      anything the service wants back in ``committed``
    """

    records: list[Record[Any]] = field(default_factory=list)
    sends: list[Record[Any]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    rejected: list[tuple[Received, str]] = field(default_factory=list)
    parked: dict[str, str] = field(default_factory=dict)
    again: bool = False
    fired: int = 0
    notes: Any = None


@dataclass(frozen=True, slots=True)
class Status:
    """A service's own part of ``/idle``.

    next_due   earliest business instant at which something is due, ``None`` if nothing ever is
    due        how much is due at or before ``now`` (a settled service says 0)
    machine    steps that wait for machine time or for another service: leases, retries, ``seen``
    """

    next_due: datetime | None = None
    due: int = 0
    machine: int = 0


class Stateful(Protocol):
    """A service that keeps state: called by the runtime, inside its transactions.

    ``apply`` is called for every turn with anything to do and at least once a second. It may raise ``Retry``. An error
    that is one customer's goes into ``Applied.parked``; the writes of a turn must leave a parked customer's state as it
    was. Anything else that escapes stops the process.
    """

    async def apply(self, tx: Connection, turn: Turn) -> Applied:
        """Fold the turn into the state inside the runtime's transaction (search path: the service's schema)."""
        ...

    def committed(self, turn: Turn, applied: Applied) -> None:
        """The turn's transaction has committed: start what may start now (never awaits)."""
        ...

    async def changed(self, owned: frozenset[int]) -> None:
        """The process now owns exactly these partition numbers: drop what is remembered of others."""
        ...

    async def status(self, connection: Connection, owned: frozenset[int], now: datetime) -> Status:
        """What the service itself still has to do."""
        ...
