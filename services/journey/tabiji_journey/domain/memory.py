"""What a customer did last: the latest occurrence by event type and correlation (cart, order, message).

Entering a journey or a wait looks here first, because across topics an event may be read after one that happened
later: a cart event of 10:00 read after the purchase of 10:30 must start nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from tabiji_journey.domain.model import Correlation, Occurrence

LIMIT = 256

Key = tuple[str, Correlation | None]
"""Event type and what it is about; ``None`` is the type alone."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The latest occurrences in the order in which they were read; ``evicted`` counts those pushed out, ever."""

    kept: dict[Key, Occurrence] = field(default_factory=dict)
    evicted: int = 0

    def last(self, event_type: str, correlation: Correlation | None = None) -> Occurrence | None:
        """The latest occurrence of ``event_type``, of one cart, order or message where named."""
        return self.kept.get((event_type, correlation))

    def to_json(self) -> str:
        """The whole memory for one ``jsonb`` column; a list, because ``jsonb`` does not keep the order of names."""
        rows = [_Row(type_, correlation, seen) for (type_, correlation), seen in self.kept.items()]
        return _ENCODER.encode(_Stored(rows, self.evicted)).decode()

    @staticmethod
    def from_json(text: str) -> Memory:
        """The inverse of ``to_json``."""
        stored = _DECODER.decode(text)
        return Memory({(row.type, row.correlation): row.seen for row in stored.kept}, stored.evicted)


class _Row(msgspec.Struct, frozen=True, array_like=True):
    type: str
    correlation: Correlation | None
    seen: Occurrence


class _Stored(msgspec.Struct, frozen=True):
    kept: list[_Row]
    evicted: int


NOTHING = Memory()
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Stored)


def remember(memory: Memory, keys: Iterable[Key], seen: Occurrence, limit: int = LIMIT) -> Memory:
    """The memory with ``seen`` as the newest under ``keys``; of one key the one that happened last stays."""
    kept = dict(memory.kept)
    for key in keys:
        known = kept.pop(key, None)
        kept[key] = known if known is not None and known.occurred_at > seen.occurred_at else seen
    evicted = max(0, len(kept) - limit)
    for key in list(kept)[:evicted]:
        del kept[key]
    return Memory(kept, memory.evicted + evicted)
