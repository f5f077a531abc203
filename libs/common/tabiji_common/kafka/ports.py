"""What the loop needs of a log, in its own words; ``log`` has Apache Kafka, ``fake`` a log in memory for unit tests.

Every call that asks the log raises ``Retry`` where it does not answer: the loop backs off and asks again. ``stop``,
``assigned``, ``assign`` and ``prove`` never do; who cannot be vouched for is not proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from tabiji_common.clock import Clock
from tabiji_common.kafka.gauge import Board
from tabiji_common.kafka.merge import Place
from tabiji_common.kafka.producer import Appender
from tabiji_common.kafka.turn import Received


class Membership(Protocol):
    """Which partition numbers this process may own."""

    async def start(self) -> None:
        """Join the group."""
        ...

    async def stop(self) -> None:
        """Leave the group, so that others take over at once."""
        ...

    def assigned(self) -> frozenset[int]:
        """The numbers assigned to this member; empty while the group is being rearranged."""
        ...

    async def prove(self, partitions: frozenset[int]) -> bool:
        """Whether the group still counts this member in with these numbers."""
        ...


class Reader(Protocol):
    """Reading places of the log from where it is told."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...

    def assign(self, positions: Mapping[Place, int]) -> None:
        """Read exactly these places, each from its next offset."""
        ...

    async def fetch(self, seconds: float, *, paused: Iterable[Place] = ()) -> dict[Place, list[Received]]:
        """What has come, or after ``seconds`` nothing; ``paused`` places are passed over. A cancelled fetch loses
        nothing.

        Raises ``Misconfigured`` where the log no longer has a place's next offset.
        """
        ...


class Probes(Protocol):
    """Asking the log about itself."""

    async def start(self) -> str:
        """Connect; the cluster's id."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The end offset of each place, now."""
        ...

    async def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset still kept of each place."""
        ...


@dataclass(slots=True)
class Parts:
    """What a loop is made of; ``__main__`` or a test chooses them."""

    pool: asyncpg.Pool[Any]
    clock: Clock
    membership: Membership
    reader: Reader
    probes: Probes
    producer: Appender
    board: Board | None = None
