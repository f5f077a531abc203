"""What the pipeline and its couriers need of the world, in their own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from tabiji_common.kafka.turn import Status
from tabiji_common.postgres import Connection
from tabiji_dispatch.domain.announce import Ended
from tabiji_dispatch.domain.brake import Brake, Counts
from tabiji_dispatch.domain.claim import Controls
from tabiji_dispatch.domain.consent import Contact, Listing
from tabiji_dispatch.domain.detour import Detour
from tabiji_dispatch.domain.message import Intent, Letter
from tabiji_dispatch.domain.notes import Cancelled
from tabiji_dispatch.domain.outcomes import Trace, Verdict
from tabiji_dispatch.domain.pick import Candidate, Put
from tabiji_dispatch.domain.quota import Metered
from tabiji_dispatch.domain.reap import Open, Settlement
from tabiji_dispatch.domain.register import Tie
from tabiji_dispatch.domain.render import Template
from tabiji_dispatch.domain.triage import Arrival, Cancel, Told


class Provider(Protocol):
    """Carries letters outside. One attempt a call; every end is classified, nothing but cancellation is raised."""

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        """Hand the letter over within ``timeout`` seconds, with ``letter.key`` as its key where there is one."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A provider that can be asked what became of a message."""

    async def look_up(self, key: str, timeout: float) -> Trace:
        """Whether it has taken the letter of that key; raises nothing but cancellation."""
        ...


class Intake(Protocol):
    """What commands do to the ledger (D0)."""

    async def insert(self, tx: Connection, arrivals: Sequence[Arrival], now: datetime) -> list[str]:
        """Insert those whose key is new, in order; the new keys."""
        ...

    async def cancel(self, tx: Connection, cancels: Sequence[Cancel], now: datetime) -> Cancelled:
        """Withhold what has no intent yet; remember keys that have not come."""
        ...

    async def tell(self, tx: Connection, told: Sequence[Told], now: datetime) -> list[str]:
        """Apply a person's word to unknown or held messages; the keys that changed."""
        ...


class Contacts(Protocol):
    """Contacts, consent, and addresses that are left alone."""

    async def load(self, tx: Connection, keys: Mapping[str, int]) -> dict[str, Contact]:
        """The contacts of customer keys (with their partition numbers), empty ones for unknown customers."""
        ...

    async def save(
        self, tx: Connection, contacts: Sequence[Contact], listings: Sequence[Listing], ties: Sequence[Tie]
    ) -> None:
        """Write contacts whole; add listings, and ties but to who was erased after they were told of."""
        ...

    async def erase(self, tx: Connection, contacts: Sequence[Contact], now: datetime) -> list[str]:
        """Forget these customers but for their tombstones; the keys of messages withheld because of it."""
        ...

    async def relist(self, tx: Connection, hashes: Sequence[bytes], at: Sequence[datetime]) -> None:
        """Lift erasure's listings of addresses whose owner agreed again at a later instant."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a claim may look: room by provider; by partition number, own next offsets (customers, engagements)."""

    rooms: Mapping[str, int]
    offsets: Mapping[int, tuple[int, int]]
    cluster: str
    wall: datetime
    recent_since: datetime | None = None


class Claims(Protocol):
    """The claim (D1)."""

    async def controls(self, tx: Connection) -> Controls:
        """Switches, restore flag and accepted clusters, as they are now."""
        ...

    async def candidates(self, tx: Connection, reach: Reach) -> list[Candidate]:
        """The oldest queued by customer, channel and class with nothing earlier of these unfinished."""
        ...

    async def write(
        self, tx: Connection, intents: Sequence[Intent], puts: Sequence[Put], who: str, wall: datetime, now: datetime
    ) -> set[str]:
        """Write intents with attempts and bodies, and what is put off or withheld; the keys that were claimed."""
        ...

    async def release(
        self, tx: Connection, until: Mapping[int, datetime], controls: Controls | None, limit: int
    ) -> int:
        """Queue again what is held no longer: by time, and (with ``controls``) by lifted reasons; how many."""
        ...


class Quotas(Protocol):
    """What providers may still take in a month."""

    async def used(self, tx: Connection, providers: Sequence[str], month: str) -> dict[str, int]:
        """Messages counted so far, by provider; until the transaction ends nobody else counts any."""
        ...

    async def spent(self, tx: Connection, limits: Mapping[str, int], month: str) -> frozenset[str]:
        """Providers, of those with these limits, that have used up the month; nobody else waits for the answer."""
        ...

    async def count(self, tx: Connection, metered: Sequence[Metered]) -> None:
        """Count these, each once however often it is tried."""
        ...


class Detours(Protocol):
    """Another provider where one is out."""

    async def turn_off(self, tx: Connection, owned: Sequence[int], detours: Sequence[Detour], limit: int) -> int:
        """Queue messages that may not have been taken yet for the other provider, the oldest first; how many."""
        ...

    async def leave_gone(self, tx: Connection, owned: Sequence[int], now: datetime, limit: int) -> list[str]:
        """Take queued messages from providers that are no longer set up; the keys of those that ended by it.

        To the channel's provider go those that were not taken; one that may have been is ``unknown``, and without a
        provider for its channel a message waits, and has ``failed`` after its ``not_after``.
        """
        ...


class Brakes(Protocol):
    """What asks a person because it cannot be meant."""

    async def counts(self, tx: Connection, found: Sequence[Candidate], now: datetime) -> Counts:
        """How many messages the candidates' customers and workspaces had."""
        ...

    async def count(self, tx: Connection, intents: Sequence[Intent], now: datetime) -> None:
        """Add these to their workspaces' volume."""
        ...

    async def forget(self, tx: Connection, owned: Sequence[int], now: datetime) -> None:
        """Delete what is too old to say what is usual."""
        ...

    async def trip(self, tx: Connection, brakes: Iterable[Brake], now: datetime) -> None:
        """Put brakes on, those that were released before too."""
        ...


class Truth(Protocol):
    """What became of attempts (D4, D5)."""

    async def settle(self, settlements: Sequence[Settlement], tx: Connection | None = None) -> list[str]:
        """Write results by token, in a transaction of their own where none is given; the keys that changed state."""
        ...

    async def open(self, tx: Connection, owned: Sequence[int]) -> list[Open]:
        """The attempts of these partition numbers that have no result yet."""
        ...

    async def sent_to(self, tx: Connection, messages: Mapping[str, str]) -> dict[str, bytes]:
        """Of ``messages`` (message key: customer key), the keyed hashes of the addresses they last went to."""
        ...


class Announcements(Protocol):
    """Settled deliveries on their way out."""

    async def pending(self, tx: Connection, owned: Sequence[int], limit: int) -> list[str]:
        """Keys that are settled and not announced."""
        ...

    async def announce(self, tx: Connection, keys: Sequence[str], owned: Sequence[int]) -> list[Ended]:
        """Mark those of ``keys`` that are not announced yet; in order of arrival."""
        ...

    async def waiting(self, tx: Connection, owned: Sequence[int]) -> dict[str, int]:
        """How many stand in each unfinished state, and in ``unknown``."""
        ...

    async def status(self, connection: Connection, owned: Sequence[int], now: datetime) -> Status:
        """What is still to do."""
        ...


class Couriers(Protocol):
    """The tasks that send."""

    def rooms(self) -> dict[str, int]:
        """Free send slots by provider, within its rate."""
        ...

    def start(self, intents: Sequence[Intent]) -> None:
        """Send these now; never waits."""
        ...

    def broken(self) -> dict[str, int]:
        """Providers in a storm, and how many messages may probe each now."""
        ...

    def in_flight(self) -> frozenset[tuple[str, int]]:
        """Attempts that were started and are not settled in the ledger."""
        ...


class Templates(Protocol):
    """The folder of templates."""

    def find(self, name: str) -> Template:
        """A compiled template; raises ``Unrenderable`` where there is none."""
        ...
