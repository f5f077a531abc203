"""What a provider's answer means for a delivery: outcome classes × capability → the next move."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

from tabiji_dispatch.domain.ledger import Move

BACKOFF_FIRST, BACKOFF_MOST = 1.0, 300.0


class Result(StrEnum):
    """The class of an attempt's outcome."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # nothing was taken
    THROTTLED = "throttled"
    PERMANENT = "permanent"
    CONFIG = "config"
    UNKNOWN = "unknown"
    UNSENT = "unsent"  # given up before a byte left, the lease was half over


@dataclass(frozen=True, slots=True)
class Verdict:
    """An attempt's outcome as its adapter classified it.

    ``detail`` is made of codes, never of a server's words, which may repeat an address. ``retry_after`` in seconds.
    ``suppress`` says that the code names the address itself as bad, ``outage`` that a refusal came before the provider
    knew which message it was: nobody's would have fared better.
    """

    result: Result
    detail: str = ""
    retry_after: float | None = None
    suppress: bool = False
    reference: str = ""
    outage: bool = False


@dataclass(frozen=True, slots=True)
class Keyed:
    """The provider refuses a key it has seen within ``ttl`` seconds; we stop ``margin`` seconds earlier."""

    ttl: float = 86_400.0
    margin: float = 3_600.0

    def fresh(self, age: float) -> bool:
        """Whether a key first used ``age`` seconds ago is still known to the provider."""
        return age < self.ttl - self.margin


@dataclass(frozen=True, slots=True)
class Lookup:
    """The provider can be asked what became of our key, ``settle`` seconds after an attempt at the earliest."""

    settle: float = 30.0


class Trace(StrEnum):
    """What a look-up by key found."""

    FOUND = "found"
    ABSENT = "absent"
    UNSEEN = "unseen"  # it could not be asked, or its answer was not understood


@dataclass(frozen=True, slots=True)
class Unkeyed:
    """The provider knows no key. ``resends`` is how often an unknown outcome is risked again: 0 is at most once."""

    resends: int = 0


Capability = Keyed | Lookup | Unkeyed


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the delivery.

    ``delay`` in seconds of machine time before it may be claimed again; ``burned`` counts the attempt; ``in_doubt``
    marks that the customer may have it; ``suppress`` the address; ``stop`` the provider, until a person releases it.
    """

    move: Move
    reason: str = ""
    delay: float = 0.0
    burned: bool = True
    in_doubt: bool = False
    suppress: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the rules need of it: burned ``attempts`` before it and their limit, the key's ``age`` in seconds."""

    key: str
    token: int
    attempts: int
    limit: int
    age: float
    in_doubt: bool = False


def next_step(verdict: Verdict, capability: Capability, attempt: Attempt) -> Step:  # noqa: PLR0911 - one row each
    """The move that follows from a verdict; total over all classes and capabilities."""
    match verdict.result:
        case Result.ACCEPTED:
            return Step(Move.ACCEPTED)
        case Result.PERMANENT:
            return Step(Move.REJECTED, "permanent", suppress=verdict.suppress)
        case Result.UNKNOWN:
            return on_unknown(capability, attempt)
        case Result.THROTTLED:
            delay = verdict.retry_after if verdict.retry_after is not None else back_off(attempt)
            return Step(Move.RETURNED, "throttled", delay=delay, burned=False)
        case Result.CONFIG:
            return Step(Move.RETURNED, "config", delay=BACKOFF_FIRST, burned=False, stop=True)
        case Result.UNSENT:
            return Step(Move.RETURNED, "unsent", burned=False)
        case Result.REFUSED if verdict.outage:  # for as long as the message may wait, and ever more slowly
            return Step(Move.RETURNED, "refused", delay=back_off(attempt, attempt.token - 1), burned=False)
        case Result.REFUSED:
            if attempt.attempts + 1 < attempt.limit:
                return Step(Move.RETURNED, "refused", delay=back_off(attempt))
            return Step(Move.LOST if attempt.in_doubt else Move.REJECTED, "refused")


def on_unknown(capability: Capability, attempt: Attempt) -> Step:
    """The provider's policy where nobody can know."""
    if isinstance(capability, Keyed):
        if capability.fresh(attempt.age):
            return Step(Move.RESEND, "unknown", delay=back_off(attempt), in_doubt=True)
        return Step(Move.EXPIRED, "key_expired", in_doubt=True)
    if isinstance(capability, Lookup):  # the next attempt asks first, and sends only what is absent
        return Step(Move.RESEND, "unknown", delay=max(capability.settle, back_off(attempt)), in_doubt=True)
    if attempt.attempts < capability.resends:
        return Step(Move.RESEND, "unknown", delay=back_off(attempt), in_doubt=True)
    return Step(Move.LOST, "unknown", in_doubt=True)


def back_off(attempt: Attempt, tried: int | None = None) -> float:
    """Seconds until the next attempt: doubling, capped, spread by ±20 % by a hash of the attempt, so no herd.

    ``tried`` is what to count instead of the attempts that were burned.
    """
    tried = attempt.attempts if tried is None else tried
    jitter = zlib.crc32(f"{attempt.key}\x1f{attempt.token}".encode()) / 0xFFFFFFFF
    base: float = min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(tried, 16))
    return base * (0.8 + 0.4 * jitter)
