"""Rows about what is read again, too late, out of order, or cannot be applied at all."""

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

from tabiji_analytics.adapters.tables import metadata
from tabiji_analytics.adapters.zones import settle as settle_zones
from tabiji_cli import keys
from tabiji_cli.processes import start_services
from tabiji_common.kafka.turn import Received
from tabiji_common.postgres import migrate
from tests.conformance.harness import event, load
from tests.faults.ground import Ground
from tests.faults.rows.runtime import figures
from tests.faults.suite import Figures, row
from tests.faults.system import NOON, System
from tests.integration.analytics.yard import MIGRATIONS, Yard, cancel, order, pools, refund

T = TypeVar("T")
BATCH = 500


def shuffled(things: Sequence[T], seed: int) -> list[T]:
    """In an order that is a pure function of the seed."""
    return [thing for _, thing in sorted(enumerate(things), key=lambda at: zlib.crc32(f"{seed}:{at[0]}".encode()))]


@row(28, runs=6, seconds=600, note="ten poisoned customers, two kinds; what the door refuses is in tests/unit/ingest")
async def poison(place: Ground, seed: int, *, events: int = 5000) -> Figures:
    """Good events first, then as many with poison among them: whom our fold or PostgreSQL cannot take is parked."""
    async with place.toys() as toys:
        toys.start()
        await toys.settle()
        good = load(2 * events)
        calm = await seconds_for(toys, good[:events])
        bad = [event(10**6 + n, f"bad{n}", **{("boom", "poison")[n % 2]: True}) for n in range(10)]
        places = [events + (seed + 1) * 37 * n % events for n in range(10)]
        mixed: list[Any] = []
        for n, one in enumerate(good[events:], events):
            mixed += [bad[places.index(n)]] if n in places else []
            mixed.append(one)
        troubled = await seconds_for(toys, mixed)
        parked = {found["key"] for found in await toys.rows("SELECT key FROM parked")}
        expected = {one.key for one in mixed if one.id not in {record.id for record in good}}
        assert parked == expected, f"parked: {parked ^ expected}"
        return figures(await toys.compare(good), len(expected), **{"delay of the others s": troubled - calm})


async def seconds_for(toys: Any, records: list[Any]) -> float:
    """How long they take from append to applied and published."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await toys.send(records)
    await toys.settle(240)
    return loop.time() - begun


@row(29, runs=4, seconds=900, note="backfill of 100,000 orders instead of 1 M; the group is not renamed")
async def read_again(place: Ground, seed: int) -> Figures:
    """Offsets are deleted and the whole log is read again; then history comes in: nothing twice, and no mail."""
    async with place.system() as yard:
        await yard.load("a", 24)
        await yard.settle()
        await yard.check()
        before, mails = await dump(yard), len(yard.mails.taken)
        for service in ("journey", "dispatch", "analytics"):
            await asyncio.to_thread(yard.supervisor.stop, service)
            await yard.rows(f"DELETE FROM {service}.consumer_offset")
            start_services(yard.supervisor, yard.installation, [service])
        await yard.settle()
        await yard.check()
        after = await dump(yard)
        changed = sum(before[table] != after[table] for table in before)
        assert not changed, [table for table in before if before[table] != after[table]]
        told = await backfill(yard, 100_000)
        await yard.settle()
        facts = await yard.rows("SELECT count(*) AS n FROM analytics.order_fact WHERE order_id LIKE 'old-%'")
        drift = await yard.get("analytics", "/v1/drift")
        assert drift["drift"] == 0, drift
        sends = len(yard.mails.taken) - mails
        return Figures(
            4, len(yard.told) * 2 + told, told - facts[0]["n"], sends, other={"sends": sends, "row diff": changed}
        )


async def dump(yard: System) -> dict[str, str]:
    """What must not change when everything is read again, by table."""
    queries = {
        "order_fact": "SELECT * FROM analytics.order_fact ORDER BY 1",
        "transition_fact": "SELECT * FROM analytics.transition_fact ORDER BY 1, 2",
        "enrollment": "SELECT * FROM journey.enrollment ORDER BY 1",
        "entry_ledger": "SELECT * FROM journey.entry_ledger ORDER BY 1, 2",
        "delivery": "SELECT message_key, state, reason, token FROM dispatch.delivery ORDER BY 1",
        "attempt": "SELECT * FROM dispatch.attempt ORDER BY 1, 2",
    }
    return {table: "\n".join(map(str, await yard.rows(query))) for table, query in queries.items()}


async def backfill(yard: System, count: int) -> int:
    """Orders of last year, as history."""
    key = keys.keys(yard.logs.parent).backfill
    url = f"{yard.installation.url('ingest')}/v1/batch?mode=backfill"
    at = NOON.replace(year=NOON.year - 1).isoformat()
    for start in range(0, count, BATCH):
        events = [
            {
                "type": "track",
                "event": "Order Completed",
                "userId": f"old-{n % 20_000}",
                "messageId": f"old-{n}",
                "timestamp": at,
                "properties": {"order_id": f"old-{n}", "total": 500, "currency": "JPY"},
            }
            for n in range(start, start + BATCH)
        ]
        answer = await yard.http.post(url, json={"batch": events}, auth=(key, ""))
        assert answer.status_code == 200, answer.text
    return count


@row(30, runs=10)
async def shuffled_to_analytics(place: Ground, seed: int, *, orders: int = 400) -> Figures:
    """Orders, refunds and cancellations, each third one twice, in any order: views as when told in order, and true."""
    records = story(orders)
    repeated = shuffled(records + records[::3], seed)
    async with place.plot() as (dsn, _, _):
        await asyncio.to_thread(migrate, dsn, "analytics", MIGRATIONS)
        pool, patient = await pools(dsn)
        yard = Yard(pool, patient)
        try:
            await settle_zones(patient, ["Asia/Tokyo", "UTC"])
            await yard.feed(repeated, cut=1 + seed * 17)
            drift = len((await yard.drift()).differences)
            mixed = await yard.snapshot()
            await patient.execute(f"TRUNCATE {', '.join(set(metadata.tables) - {'rolled_zone'})}")
            await yard.feed(records)
            straight = await yard.snapshot()
        finally:
            await pool.close()
            await patient.close()
    wrong = sum(mixed[name] != straight[name] for name in straight)
    assert not drift, f"{drift} differences from the recomputation"
    return Figures(1, len(repeated), inversions=wrong, other={"drift": drift, "views that differ": wrong})


def story(orders: int) -> list[Received]:
    """Each customer's orders over two years, some refunded or cancelled."""
    told: list[Received] = []
    for n in range(orders):
        day = f"202{3 + n % 2}-{1 + n % 12:02}-{1 + n % 28:02}T0{n % 10}:00:00"
        told.append(order(f"c{n % 60}", f"o{n}", day, 1000 + n, medium=("cpc", "email", None)[n % 3]))
        if n % 5 == 0:
            told.append(refund(f"c{n % 60}", f"o{n}", "2024-12-01", 100 + n, "r1"))
        if n % 11 == 0:
            told.append(cancel(f"c{n % 60}", f"o{n}", "2024-12-02"))
    return told
