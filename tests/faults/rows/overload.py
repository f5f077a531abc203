"""Row 4: five times more than ingest can take, in open loop."""

import asyncio

from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.integration.ingest.harness import eventually
from tests.integration.ingest.test_overload import SIZE, UNHEARD, answers, overload

FLIGHT = 2 * 1024 * 1024
"""Bytes in flight: some thirty requests, so that a driver on the same two cores can press hard enough."""

CALM, STORM = 2.0, 8.0
"""Seconds in closed loop, which say what it can take, and seconds of five times that."""


@row(4, runs=10, note="8 s of overload a run; driver and ingest share the two cores")
async def five_times_too_much(place: Ground, seed: int) -> Figures:
    """It says so at once, its memory stays where it was, it comes back, and each promise is in the log."""
    async with place.ingest() as door:
        await asyncio.to_thread(door.end)
        await asyncio.to_thread(door.start, TABIJI_MAX_FLIGHT_BYTES=str(FLIGHT), TABIJI_WRITE_KEY_RATE="2000")
        sizes: list[float] = []
        calm, storm = await overload(door, sizes, CALM, STORM)
        back = await asyncio.to_thread(eventually, lambda: answers(door), 30)
        kept = {record.id for record in await asyncio.to_thread(door.kept)}
    promised = {f"b{number}-{k}" for ledger in (calm, storm) for number in ledger.promised for k in range(SIZE)}
    refused = storm.answers[429] + storm.answers[503]
    assert set(storm.answers) <= {UNHEARD, 200, 429, 503}, storm.answers
    assert refused, f"nothing was refused: {storm.answers}"
    assert storm.answers[200], "nothing was taken"
    settled = sizes[len(sizes) // 4]
    assert max(sizes) < settled * 1.25 + 32, f"memory grows: {sizes}"
    waits = sorted(storm.waits)
    offered = (storm.sent + storm.unsent) / storm.seconds
    return Figures(
        events=len(promised),
        lost=len(promised - kept),
        stalls=int(not back),
        other={
            "refused": refused,
            "times the capacity offered": offered / (calm.answers[200] / calm.seconds),
            "goodput % of calm": 100 * storm.answers[200] / storm.seconds / (calm.answers[200] / calm.seconds),
            "p99 s": waits[int(len(waits) * 0.99)],
            "RSS grown MiB": max(sizes) - sizes[0],
        },
    )
