"""Bodies made to hurt: each costs a bounded time, and is refused with the field where one can be named."""

import gzip
import time
import zlib
from typing import Any

import pytest

from tests.unit.ingest.support import Door

MIB = 1024 * 1024
PAGE = b'{"type":"page","userId":"u"}'
MOST_SECONDS = 6.0
"""Of one core for one request: what 2 MiB cost at worst is a quarter of it, and machines differ."""


def filled(unit: bytes, size: int = 2 * MIB - 400) -> bytes:
    return unit * (size // len(unit))


def packed(body: bytes) -> bytes:
    """``body`` as gzip with a file name long enough that no ratio is broken: what unpacks has to be read."""
    deflate = zlib.compressobj(1, wbits=-15)
    packed_ = deflate.compress(body) + deflate.flush()
    name = b"x" * max(0, len(body) // 100 - len(packed_) + 100)
    ends = zlib.crc32(body).to_bytes(4, "little") + len(body).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + name + b"\0" + packed_ + ends


def keys(count: int) -> bytes:
    return b",".join(b'"%x":1' % n for n in range(count))


def track(properties: bytes) -> bytes:
    return b'{"type":"track","event":"e","userId":"u","properties":{' + properties + b"}}"


def batch(*events: bytes, more: bytes = b"") -> bytes:
    return b'{"batch":[' + b",".join(events) + b"]" + more + b"}"


CASES: dict[str, tuple[str, bytes, int, str]] = {
    "two million brackets": ("/v1/batch", filled(b"["), 400, ""),
    "700,000 events": ("/v1/batch", batch(filled(b"{},") + b"{}"), 400, "batch"),
    "700,000 events and a NaN": ("/v1/batch", batch(filled(b"{},") + b"NaN"), 400, "batch"),
    "two million quotes": ("/v1/batch", filled(b'"'), 400, ""),
    "150,000 keys for every one of 2,400 events": (
        "/v1/batch", batch(*[PAGE] * 2400, more=b',"context":{' + keys(150_000) + b"}"), 200, "",
    ),
    "a context of 100,000 levels": (
        "/v1/batch", batch(PAGE, more=b',"context":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000), 400, "",
    ),
    "60 large events with a NaN each": (
        "/v1/batch", batch(*[track(b'"v":NaN,' + keys(2500))] * 60), 400, "0.properties.v",
    ),
    "a million keys": ("/v1/track", track(b'"a":1,' * 1_000_000 + b'"a":1'), 413, ""),
    "190,000 keys": ("/v1/track", track(keys(190_000)), 400, ""),
    "5,000 digits": ("/v1/track", track(b'"v":' + b"9" * 5000), 400, "properties.v"),
    "5,000 digits in a batch": ("/v1/batch", batch(track(b'"v":' + b"9" * 5000)), 400, "0.properties.v"),
    "two million digits": ("/v1/batch", batch(PAGE, more=b',"sentAt":' + filled(b"9")), 400, "sentAt"),
    "two million digits as a key": ("/batch/", batch(PAGE, more=b',"api_key":' + filled(b"9")), 400, ""),
    "a stranger's broken two million": ("/batch/", batch(filled(b'"",') + b"NaN"), 400, ""),
    "two million zero bytes": ("/v1/events", filled(b"\0"), 400, "0"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "field"), CASES.values(), ids=CASES.keys())
async def test_a_body_made_to_hurt_costs_little_and_is_answered(
    path: str, body: bytes, status: int, field: str
) -> None:
    door = Door(max_body_bytes=MIB)
    began = time.process_time()
    answer = await door.post(path, packed(body))
    assert time.process_time() - began < MOST_SECONDS
    assert answer.status_code == status, answer.text[:300]
    if status != 200:
        assert answer.json()["error"]["field"] == field
        assert answer.json()["error"]["rule"]
    assert door.accept.flight.bytes == 0


@pytest.mark.parametrize("levels", [40, 900, 960, 990, 1000, 1100])
async def test_no_depth_of_a_context_is_an_error_of_ours(levels: int) -> None:
    door = Door()
    deep = b',"context":{"campaign":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    answer = await door.post("/v1/batch", batch(PAGE, more=deep))
    assert answer.status_code == (200 if levels == 40 else 400)


async def test_a_refusal_before_the_body_has_come_ends_the_connection() -> None:
    door = Door()
    answer = await door.post("/v1/batch", b"x" * 600_000)
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


@pytest.mark.parametrize("levels", [1, 2])
async def test_a_bomb_in_a_bomb_is_unpacked_once(levels: int) -> None:
    door = Door()
    body: Any = b"[" * 50_000_000
    for _ in range(levels):
        body = gzip.compress(body, 9)
    assert (await door.post("/v1/batch", body)).status_code in {400, 413}
