"""What a look at an installation means: each line ok, warn or bad, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Level = Literal["ok", "warn", "bad"]
GIB = 2**30
SLOW_CLOCK, WRONG_CLOCK = 2.0, 30.0  # seconds
LONG_LAG = 10_000


@dataclass(frozen=True)
class Finding:
    """One line: about what, how it is, what was seen, and what to do about it."""

    about: str
    level: Level
    seen: str
    do: str = ""


def worst(found: Sequence[Finding]) -> Level:
    """The worst of all."""
    levels = {one.level for one in found}
    return "bad" if "bad" in levels else "warn" if "warn" in levels else "ok"


def disk(free: int, where: str) -> Finding:
    """Room where the stack keeps its data."""
    seen = f"{free / GIB:.1f} GiB free at {where}"
    if free < GIB:
        return Finding("disk", "bad", seen, "make room: with a full disk nothing is accepted any more")
    return Finding("disk", "warn" if free < 5 * GIB else "ok", seen, "make room soon" if free < 5 * GIB else "")


def postgres(version: str) -> Finding:
    """The server's version; empty where it does not answer."""
    if not version:
        return Finding("postgresql", "bad", "does not answer", "start it, or set TABIJI_POSTGRES_DSN")
    if version.split(".", maxsplit=1)[0] != "18":
        return Finding("postgresql", "warn", version, "tests run on 18: use that")
    return Finding("postgresql", "ok", version)


def ready(service: str, url: str, answer: Mapping[str, Any] | None) -> Finding:
    """A service's ``/readyz``; ``None`` where it does not answer."""
    about = f"{service} ready"
    if answer is None:
        return Finding(
            about, "bad", f"does not answer at {url}", f"start it, or set TABIJI_{service.upper()}_ADMIN_URL"
        )
    if answer.get("status") != "ready":
        return Finding(about, "warn", str(answer.get("status")), "wait; if it stays so, read its log")
    return Finding(about, "ok", url)


def durability(told: str) -> Finding:
    """What ``/readyz`` says of it."""
    if told == "single-broker":
        return Finding(
            "durability", "warn", told, "safe from SIGKILL, not from a power cut: run three brokers for real shops"
        )
    return Finding("durability", "ok", told)


def clock(service: str, now: datetime, here: datetime, *, simulated: bool) -> Finding:
    """A service's business time beside ours."""
    about, off = f"{service} clock", abs((now - here).total_seconds())
    if simulated:
        return Finding(about, "ok", f"simulated, at {now:%Y-%m-%d %H:%M}Z")
    seen = f"{off:.1f} s off this machine's"
    if off > WRONG_CLOCK:
        return Finding(about, "bad", seen, "set the clocks right (NTP): timers and quiet hours go by them")
    return Finding(about, "warn" if off > SLOW_CLOCK else "ok", seen, "look at NTP" if off > SLOW_CLOCK else "")


def work(service: str, idle: Mapping[str, Any], stalled: bool) -> list[Finding]:
    """Lag and parked customers of a service's ``/idle``; ``stalled`` is what ``/livez`` says."""
    lag, parked = int(idle["lag"]), int(idle["parked"])
    if stalled:
        first = Finding(
            f"{service} lag", "bad", f"{lag:,} records, and none applied for a minute", "restart it; read its log"
        )
    elif lag > LONG_LAG:
        first = Finding(f"{service} lag", "warn", f"{lag:,} records", "see that it falls; if not, add a process")
    else:
        first = Finding(f"{service} lag", "ok", f"{lag:,} records")
    if not parked:
        return [first, Finding(f"{service} parked", "ok", "nobody")]
    do = f"GET /v1/parked of {service} says who and why; mend the cause, then POST …/unpark"
    return [first, Finding(f"{service} parked", "bad", f"{parked:,} customers", do)]


def restored(service: str, why: str) -> Finding:
    """Whether timers stand still because this is another database than before."""
    if why:
        return Finding(
            f"{service} restore", "bad", f"timers stand still: {why}", "docs/operations.md: POST /restore/release"
        )
    return Finding(f"{service} restore", "ok", "the database is the one it was")


def topics(differing: Mapping[str, str] | None) -> Finding:
    """Topics that are not as they should be; ``None`` where no broker answers."""
    if differing is None:
        return Finding("topics", "bad", "no broker answers", "start Kafka, or set TABIJI_KAFKA_BOOTSTRAP")
    if not differing:
        return Finding("topics", "ok", "all there, with the settings that they should have")
    seen = "; ".join(f"{name} {what}" for name, what in sorted(differing.items())[:3])
    rest = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
    return Finding(
        "topics", "bad", seen + rest, "`tabiji migrate` makes what is missing; settings are mended by kafka-configs"
    )


def migrations(service: str, here: str | None, newest: str) -> Finding:
    """A schema's version beside the newest that this tree has."""
    about = f"{service} schema"
    if here is None:
        return Finding(about, "bad", "is not there", "`tabiji migrate`")
    if here != newest:
        return Finding(about, "bad", f"at {here}, the newest is {newest}", "`tabiji migrate`, or run the newer version")
    return Finding(about, "ok", f"at {here}")


def stuck(lost: int) -> Finding:
    """Who is in no state, or waits without a timer."""
    if lost:
        return Finding("stuck", "bad", f"{lost:,} people", "GET /v1/conservation of journey names the journeys")
    return Finding("stuck", "ok", "nobody")


def unknown(count: int, most: int) -> Finding:
    """Messages whose outcome nobody knows."""
    if count:
        more = " or more" if count >= most else ""
        return Finding(
            "unknown", "warn", f"{count:,}{more} message{'s' * (count > 1)}", "`tabiji unknown list`, then settle each"
        )
    return Finding("unknown", "ok", "no message")


def dead_letters(count: int) -> Finding:
    """Records put aside because they could not apply, and not replayed since."""
    if count:
        return Finding("dead letters", "warn", f"{count:,} of them", "`tabiji dlq list`; mend the cause, then replay")
    return Finding("dead letters", "ok", "none")


def key(status: int) -> Finding:
    """Whether the services take the operator key."""
    if status == 401:
        return Finding(
            "operator key", "bad", "not taken", "TABIJI_OPERATOR_KEY, or `tabiji keys create NAME --scope read`"
        )
    if status >= 400:
        return Finding("operator key", "warn", f"answered {status}", "see the service's log")
    return Finding("operator key", "ok", "taken")
