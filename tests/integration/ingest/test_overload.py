"""Five times more than ingest can take, in open loop: it says so at once, keeps its memory, and loses nothing it took.

Open loop: requests are sent on their own schedule, whatever becomes of those before. The ledger is the client's.
"""

import asyncio
import base64
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from tests.integration.ingest.harness import House, eventually
from tests.unit.ingest.support import LIVE

SIZE = 50
CALIBRATION, OVERLOAD = 4.0, 20.0
CONNECTIONS = 600
FACTOR = 5
TICK = 0.01
MIB = 1024 * 1024
UNHEARD = 0
"""No answer within the client's patience: its events may be kept or not, and it would send them again."""

AUTH = base64.b64encode(f"{LIVE}:".encode()).decode()


@dataclass
class Ledger:
    """What became of the requests of one phase."""

    answers: Counter[int] = field(default_factory=Counter)
    promised: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    sent: int = 0
    unsent: int = 0
    seconds: float = 0.0

    def told(self, number: int, status: int, wait: float) -> None:
        self.answers[status] += 1
        self.waits.append(wait)
        if status == 200:
            self.promised.append(number)


class Wire:
    """One connection that is used again and again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> int:
        """The status of the answer, or ``UNHEARD``."""
        try:
            async with asyncio.timeout(15):
                return await self._post(body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            return UNHEARD

    async def _post(self, body: bytes) -> int:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        head = (
            f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {AUTH}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
        await reader.readexactly(length)
        return int(lines[0].split()[1])

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def batch(number: int) -> bytes:
    events = ",".join(
        f'{{"type":"page","userId":"u-{(number * SIZE + k) % 997}","messageId":"b{number}-{k}","name":"Home"}}'
        for k in range(SIZE)
    )
    return f'{{"batch":[{events}]}}'.encode()


async def closed_loop(port: int, seconds: float, clients: int = 8) -> Ledger:
    """As much as a few clients get answered, one request after the other."""
    ledger, wires = Ledger(), [Wire(port) for _ in range(clients)]
    end = time.monotonic() + seconds

    async def client(wire: Wire) -> None:
        while time.monotonic() < end:
            await send(wire, ledger, -ledger.sent - 1)

    await asyncio.gather(*(client(wire) for wire in wires))
    ledger.seconds = seconds
    return ledger


async def open_loop(port: int, rate: float, seconds: float) -> Ledger:
    """``rate`` requests a second, whatever is answered; without a free connection a request counts as unsent."""
    ledger, free = Ledger(), [Wire(port) for _ in range(CONNECTIONS)]
    running: set[asyncio.Task[None]] = set()

    async def one(wire: Wire, number: int) -> None:
        await send(wire, ledger, number)
        free.append(wire)

    began = time.monotonic()
    due = 0.0
    while (now := time.monotonic() - began) < seconds:
        due = min(rate * now - ledger.sent - ledger.unsent, rate)
        for _ in range(int(due)):
            if not free:
                ledger.unsent += 1
                continue
            task = asyncio.create_task(one(free.pop(), ledger.sent))
            ledger.sent += 1
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(TICK)
    ledger.seconds = time.monotonic() - began
    await asyncio.gather(*running)
    return ledger


async def send(wire: Wire, ledger: Ledger, number: int) -> None:
    if number < 0:
        ledger.sent += 1
    began = time.monotonic()
    status = await wire.post(batch(number))
    ledger.told(number, status, time.monotonic() - began)


async def watch(pid: int, sizes: list[float]) -> None:
    process = psutil.Process(pid)
    while True:
        sizes.append(process.memory_info().rss / MIB)
        await asyncio.sleep(0.25)


async def overload(
    house: House, sizes: list[float], calibration: float = CALIBRATION, seconds: float = OVERLOAD
) -> tuple[Ledger, Ledger]:
    """What it takes when nobody presses, then ``FACTOR`` times that; ``sizes`` gets its memory meanwhile."""
    assert house.process is not None
    calm = await closed_loop(house.port, calibration)
    watching = asyncio.create_task(watch(house.process.pid, sizes))
    storm = await open_loop(house.port, FACTOR * calm.answers[200] / calm.seconds, seconds)
    watching.cancel()
    return calm, storm


@pytest.mark.long
@pytest.mark.timeout(600)
def test_five_times_too_much_is_refused_at_once_and_what_was_taken_is_kept(ingest: House) -> None:
    ingest.end()
    ingest.start(TABIJI_MAX_FLIGHT_BYTES=str(2 * MIB), TABIJI_WRITE_KEY_RATE="2000")
    sizes: list[float] = []
    calm, storm = asyncio.run(overload(ingest, sizes))
    report(calm, storm, sizes)
    assert set(storm.answers) <= {UNHEARD, 200, 429, 503}
    assert storm.answers[429] + storm.answers[503] > 0
    assert storm.answers[200] > 0
    settled = sizes[len(sizes) // 4]
    assert max(sizes) < settled * 1.25 + 32, "memory grows"
    assert eventually(lambda: answers(ingest), 60), "it does not come back"
    kept = {record.id for record in ingest.kept()}
    promised = {f"b{number}-{k}" for ledger in (calm, storm) for number in ledger.promised for k in range(SIZE)}
    assert promised - kept == set()


def answers(house: House) -> bool:
    try:
        return house.post("/v1/page", {"userId": "u-1", "messageId": "afterwards"}).status_code == 200
    except httpx.TransportError:
        return False


def report(calm: Ledger, storm: Ledger, sizes: list[float]) -> None:
    waits = sorted(storm.waits)
    print(f"· capacity {calm.answers[200] * SIZE / calm.seconds:,.0f} events/s in closed loop, {SIZE} a request")
    print(f"· offered {(storm.sent + storm.unsent) / storm.seconds * SIZE:,.0f} events/s for {storm.seconds:.0f} s")
    print(f"· answers {dict(storm.answers)}; {storm.unsent} not sent for want of a connection")
    print(f"· taken {storm.answers[200] * SIZE / storm.seconds:,.0f} events/s")
    print(f"· answered after {waits[len(waits) // 2]:.2f} s (median), {waits[int(len(waits) * 0.99)]:.2f} s (p99)")
    print(f"· memory {sizes[0]:.0f} MiB at first, {max(sizes):.0f} at most, {sizes[-1]:.0f} at last")
