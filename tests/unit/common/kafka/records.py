"""Records for unit tests of the runtime's pure parts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_common.kafka.outbox import Row
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import CUSTOM, Mode, cloud_headers

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(millis: int) -> datetime:
    return START + timedelta(milliseconds=millis)


def record(topic: str, p: int, offset: int, millis: int, **fields: Any) -> Received:
    shared: dict[str, Any] = {
        "key": "w:c",
        "id": f"{topic}/{p}/{offset}",
        "type": "tried",
        "source": "test",
        "occurred_at": START,
        "accepted_at": START,
        "mode": Mode.LIVE,
        "body_hash": "",
        "value": b"{}",
    }
    return Received(topic=topic, partition=p, offset=offset, appended_at=at(millis), **(shared | fields))


def row(p: int, n: int, key: str, *, epoch: int = 1, held: bool = False, barrier: int = -1) -> Row:
    headers = cloud_headers(f"r{p}.{n}", "tried", "test", START, START, "live")
    return Row(
        (p, epoch, n),
        CUSTOM.name,
        key,
        f"r{p}.{n}",
        "tried",
        "test",
        START,
        START,
        "live",
        "",
        "",
        b"{}",
        headers,
        held=held,
        barrier=barrier,
    )
