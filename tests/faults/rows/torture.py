"""Row 34: bodies that want to break the door: refused with 4xx, in bounded memory, and the next event is taken."""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable

import httpx
import psutil

from tests.faults.ground import Ground, threaded
from tests.faults.suite import Figures, row
from tests.integration.ingest.harness import House, house
from tests.unit.ingest.support import LIVE

EVENT = '{"type":"track","event":"x","userId":"u","messageId":"m","properties":%s}'
BODIES: dict[str, Callable[[], tuple[bytes, dict[str, str]]]] = {
    "gzip bomb": lambda: (gzip.compress(b"0" * 200_000_000), {"content-encoding": "gzip"}),
    "gzip bomb of events": lambda: (
        gzip.compress(b'{"batch":[' + b",".join([b'{"type":"page"}'] * 2_000_000) + b"]}"),
        {"content-encoding": "gzip"},
    ),
    "depth 100,000": lambda: ((EVENT % ("[" * 100_000 + "]" * 100_000)).encode(), {}),
    "1 M keys": lambda: ((EVENT % json.dumps({str(n): 0 for n in range(1_000_000)})).encode(), {}),
    "20,000 keys": lambda: ((EVENT % json.dumps({str(n): 0 for n in range(20_000)})).encode(), {}),
    "5,000-digit integer": lambda: ((EVENT % ('{"n":' + "9" * 5000 + "}")).encode(), {}),
    "half a gzip": lambda: (gzip.compress(b"{}" * 1000)[:20], {"content-encoding": "gzip"}),
    "NUL in a key": lambda: ((EVENT % r'{"a\u0000b":1}').encode(), {}),
    "lone surrogate": lambda: ((EVENT % r'{"a":"\ud800"}').encode(), {}),
    "NaN": lambda: ((EVENT % '{"a":NaN}').encode(), {}),
    "not UTF-8": lambda: (b'{"type":"track","event":"\xff"}', {}),
    "no JSON": lambda: (b"<xml/>", {}),
}


@row(34, runs=3, note="twelve bodies and one that never ends; schema fuzzing is in tests/unit/ingest")
async def torture(place: Ground, seed: int) -> Figures:
    """Each body four times at once, while memory is watched from outside."""
    async with place.plot() as (dsn, prefix, folder), threaded(house(place.kafka, dsn, prefix, folder)) as door:
        await asyncio.to_thread(door.end)
        await asyncio.to_thread(door.start, TABIJI_BODY_SECONDS="2")
        assert door.process is not None
        process = psutil.Process(door.process.pid)
        before, most, wrong = process.memory_info().rss, 0, []
        async with httpx.AsyncClient(timeout=30) as http:
            for name, make in BODIES.items():
                body, headers = make()
                answers = await asyncio.gather(*(post(http, door, body, headers) for _ in range(4)))
                most = max(most, process.memory_info().rss)
                wrong += [f"{name}: {status}" for status in answers if not 400 <= status < 500]
            slow = await never_ends(door)
            good = await post(http, door, (EVENT % "{}").encode(), {})
        assert not wrong, wrong
        assert good == 200, good
        grown = (most - before) / 2**20
        return Figures(
            len(BODIES) * 4 + 1, len(BODIES) * 4 + 1, other={"RSS grown MiB": grown, "slow body cut s": slow}
        )


async def post(http: httpx.AsyncClient, door: House, body: bytes, headers: dict[str, str]) -> int:
    """The status; 499 where the door closes the connection while a body that is too big is still on its way."""
    try:
        answer = await http.post(f"{door.url}/v1/track", content=body, headers=headers, auth=(LIVE, ""))
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return 499
    return answer.status_code


async def never_ends(door: House) -> float:
    """A body that comes a byte at a time: seconds until the door has had enough."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    token = base64.b64encode(f"{LIVE}:".encode()).decode()
    head = "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    writer.write(f"{head}Authorization: Basic {token}\r\n\r\n".encode())
    begun = loop.time()
    answer = asyncio.create_task(reader.read(200))
    while not answer.done() and loop.time() < begun + 20:
        writer.write(b" ")
        await asyncio.sleep(0.2)
    writer.close()
    assert answer.done(), "a body that never ends is waited for"
    status = answer.result().split(b" ")[1:2]
    assert status in ([b"408"], [b"400"], []), status
    return loop.time() - begun
