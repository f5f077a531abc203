"""What accepting needs of the outside, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tabiji_common.topics import Record
from tabiji_ingest.domain.access import WriteKey


class EventLog(Protocol):
    """Where accepted events go."""

    async def append(self, records: Sequence[Record[Any]]) -> None:
        """Return once every record is durable; raise ``Retry`` where that is not known of one of them."""
        ...


class WriteKeys(Protocol):
    """The write keys that open a workspace."""

    async def find(self, key: str) -> WriteKey | None:
        """What ``key`` opens, ``None`` where it opens nothing; raises ``Retry`` where nobody can tell just now."""
        ...
