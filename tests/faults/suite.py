"""The fault suite's register: which row breaks what, what must hold, and what a run of it measures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tests.faults.ground import Ground


class Skipped(Exception):
    """This machine cannot have the fault; the message says why."""


@dataclass
class Figures:
    """What the ledgers outside the system say of one run. ``other`` holds figures of the row's own, by name."""

    faults: int = 1
    events: int = 0
    lost: int = 0
    doubled: int = 0
    inversions: int = 0
    unknown: int = 0
    stalls: int = 0
    other: dict[str, float] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or put out of order, and nothing stood still."""
        return not (self.lost or self.doubled or self.inversions or self.stalls)


Scenario = Callable[["Ground", int], Awaitable[Figures]]
S = TypeVar("S", bound=Scenario)


@dataclass(frozen=True)
class Row:
    """One fault. ``at_once`` runs share the broker and database; ``note`` says where it is smaller than the list's."""

    number: int
    fault: str
    holds: str
    scenario: Scenario
    runs: int
    at_once: int
    note: str
    seconds: float


ROWS: dict[int, Row] = {}


def row(number: int, *, runs: int = 10, at_once: int = 1, note: str = "", seconds: float = 300) -> Callable[[S], S]:
    """Register a scenario: told ``runs`` times with the seeds 0, 1, …; one that takes ``seconds`` has stalled."""

    def keep(scenario: S) -> S:
        fault, holds = LIST[number]
        ROWS[number] = Row(number, fault, holds, scenario, runs, at_once, note, seconds)
        return scenario

    return keep


LIST = {
    1: ("SIGKILL ingest at each failpoint under load", "every 2xx applied once"),
    2: ("response lost; same id again, same and other body, 50 at once", "applied once"),
    3: ("produce errors: not enough replicas, timeout, too large", "no 2xx without an ack; no wedged partition"),
    4: ("5× overload, open loop", "429 or 503, memory bounded, accepted kept"),
    5: ("broker killed; leader killed among three", "acked events there, order kept"),
    6: ("broker stopped 5 and 45 s; our loop blocked 45 s", "recovers"),
    7: ("client cut from the broker 10 s", "no 2xx; catches up"),
    8: ("consumer killed at each failpoint", "state = oracle"),
    9: ("zombie: SIGSTOP past the session, takeover, SIGCONT", "fenced"),
    10: ("rolling restarts", "progress; nothing left unknown"),
    11: ("log truncated below our offset", "halts and alarms, never skips"),
    12: ("PostgreSQL SIGKILL under load; answers of COMMIT lost", "commit-unknown resolved by asking"),
    14: ("disk full under PostgreSQL", "no 2xx and no send without a durable record; resumes"),
    15: ("serialization failure, deadlock, lock timeout, sessions ended", "batch retried, never dead-lettered"),
    16: ("outbox with many writers and slow commits", "none missed, order per customer"),
    17: ("dispatch killed at D0–D5, stopped past its lease, per capability", "the ledger's tables"),
    18: ("provider slow; storm of 429 and 5xx", "other channels unaffected"),
    19: ("reply cut at each byte, HTTP and SMTP", "outcome class right"),
    20: ("provider key expired", "held"),
    21: ("commands published twice; two relays at once", "one delivery, order kept"),
    22: ("one bad recipient among 500", "the others once"),
    23: ("kill switch, unsubscribe, erase during a big send", "stops"),
    24: ("clock ±1 h, +1 day, step during a claim", "no early, double, mass fire"),
    25: ("36 h outage, timers due", "lateness: nothing late is sent, nobody is stuck"),
    26: ("DST gap and overlap, 30 zones, over a year", "each visit once, at the policy's instant"),
    27: ("timer against event, 10,000 times", "exactly one transition"),
    28: ("poison among 10,000 good events", "one customer parked, others flow"),
    29: ("offsets deleted, whole topic replayed, backfill", "nothing applied again, 0 sends"),
    30: ("late, shuffled, repeated events to analytics", "views = recomputation"),
    31: ("random journeys × faults", "invariants"),
    33: ("soak, random fault each 30–90 s", "all checkers clean"),
    34: ("gzip bomb, depth 100,000, 1 M keys, 5,000-digit int, slow body", "4xx, bounded; no 500, hang, crash"),
    40: ("planted bugs", "the suite fails each"),
}
