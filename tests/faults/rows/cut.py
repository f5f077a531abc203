"""Row 7: a client that cannot reach the broker for longer than its session: ingest, and one of two consumers."""

import asyncio
import time
from dataclasses import replace

from tests.conformance.harness import until
from tests.conformance.traffic import traffic
from tests.faults.ground import Ground
from tests.faults.kafka_wire import KafkaWire, kafka_wire
from tests.faults.rows.broker import GRACE, judged, shopping
from tests.faults.rows.runtime import figures
from tests.faults.suite import Figures, row

SECONDS = 10.0


@row(7, runs=10, at_once=2, note="10 s; by turns nothing passes in silence, and every connection is reset")
async def cut_off(place: Ground, seed: int) -> Figures:
    """Both at once, each on a wire of its own: no 2xx from ingest meanwhile, and the consumers lose nobody."""
    reset = seed % 2 == 1
    door, toys = await asyncio.gather(door_cut(place, reset=reset), consumer_cut(place, reset=reset))
    return Figures(
        2,
        door.events + toys.events,
        door.lost + toys.lost,
        toys.doubled,
        door.inversions + toys.inversions,
        other=door.other | toys.other,
    )


async def door_cut(place: Ground, *, reset: bool) -> Figures:
    """What is promised while ingest cannot reach the broker is a lie; afterwards the same ids are taken."""
    async with kafka_wire(place.kafka.port) as wire, replace(place, kafka=wire).ingest() as door:
        async with shopping(door) as shops:
            refused = shops.statuses[503]
            start, end = await cut(wire, reset=reset)
            waited = await shops.again()
        false = shops.within(start, end)
        assert false or shops.statuses[503] > refused, "the wire was not cut"
        return await judged(door, shops, 1, false, waited)


async def cut(wire: KafkaWire, *, reset: bool) -> tuple[float, float]:
    """Cut it for ten seconds; between which instants nothing passed."""
    wire.cut(reset=reset)
    start = time.monotonic() + GRACE
    await asyncio.sleep(SECONDS)
    end = time.monotonic()
    wire.mend()
    return start, end


async def consumer_cut(place: Ground, *, reset: bool) -> Figures:
    """One of two members is cut off past its session: the other takes over, and the one that comes back is fenced."""
    async with place.toys() as toys, kafka_wire(place.kafka.port) as wire, traffic(toys, every=0.05) as made:
        members = [toys.start(TABIJI_KAFKA_BOOTSTRAP=wire.bootstrap), toys.start()]
        await until(lambda: all(toy.owned for toy in members), "they did not start")
        await asyncio.sleep(1)
        cutting = asyncio.create_task(cut(wire, reset=reset))
        await until(lambda: len(members[1].owned) == toys.settings.partitions, "nobody took over", SECONDS + 5)
        await cutting
        back = time.monotonic()
        await until(lambda: bool(members[0].owned), "it did not come back")
        waited = time.monotonic() - back
        made.ending = True
        await toys.settle()
        return figures(await toys.compare(made.sent), 1, **{"s until it owns again": waited})
