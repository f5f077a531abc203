"""What a turn does to memory and metrics, once it has committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabiji_dispatch.domain.announce import Ended
from tabiji_dispatch.domain.claim import Controls
from tabiji_dispatch.domain.message import Intent
from tabiji_dispatch.domain.pick import Put


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What cancels met: keys now withheld, keys that came after the intent, and how many never had a delivery."""

    withheld: list[str]
    after_intent: list[str]
    unseen: int


@dataclass(slots=True)
class Notes:
    """What a turn does to memory and metrics, once it has committed."""

    new: int = 0
    repeated: int = 0
    erased: int = 0
    cancelled: Cancelled | None = None
    told: int = 0
    swept: float | None = None
    controls: Controls | None = None
    intents: list[Intent] = field(default_factory=list)
    puts: list[Put] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    announced: list[Ended] = field(default_factory=list)
    waiting: dict[str, int] | None = None
    reaped: list[str] = field(default_factory=list)
    detoured: int = 0
    more: bool = False
