"""Which messages go by another provider: those of one that is out, to the channel's next that is not."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tabiji_dispatch.domain.carrier import Carrier


@dataclass(frozen=True, slots=True)
class Detour:
    """Messages of ``channel`` leave ``source`` for ``target``, but for the oldest ``keep``, which probe it."""

    channel: str
    source: str
    target: str
    keep: int = 0


def replaceable(carriers: Mapping[str, Carrier]) -> dict[str, int]:
    """The quotas of metered providers that share a channel with another."""
    return {
        one.name: one.quota
        for one in carriers.values()
        if one.quota and any(one.channels & other.channels for other in carriers.values() if other is not one)
    }


def detours(carriers: Mapping[str, Carrier], stopped: AbstractSet[str], broken: Mapping[str, int]) -> list[Detour]:
    """One for each channel of a provider that is out, where another is not.

    ``stopped`` are switched off or have used up their month, ``broken`` says how many messages may probe it.
    """
    out = stopped | broken.keys()
    found = []
    for name in sorted(out & carriers.keys()):
        keep = 0 if name in stopped else broken[name]
        for channel in sorted(carriers[name].channels):
            other = next(
                (one.name for one in carriers.values() if channel in one.channels and one.name not in out), None
            )
            if other is not None:
                found.append(Detour(channel, name, other, keep))
    return found
