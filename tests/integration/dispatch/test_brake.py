"""The anomaly brake: too many of one message to one customer, or of all messages, wait for a person."""

from datetime import timedelta
from typing import Any

import httpx

from tabiji_dispatch.adapters.postgres_desk import PostgresDesk
from tabiji_dispatch.api import build_app
from tabiji_dispatch.domain.claim import Rules
from tests.integration.dispatch.bench import NOON, SECRET, Bench, customers_of, known, send


async def released(bench: Bench, **key: str) -> None:
    """A person looks, and lets go."""

    async def append(_: object) -> None:
        return

    unused: Any = None
    app = build_app(PostgresDesk(bench.pool, SECRET), unused, append, bench.clock, lambda: None, customers_of(bench))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        shown = [row for row in (await client.get("/v1/brakes")).json() if row["released_at"] is None]
        assert [(row["kind"], row["workspace"], row["name"]) for row in shown] == [
            (key["kind"], "demo", key.get("name", ""))
        ]
        answer = await client.post("/v1/brakes/release", json={"workspace": "demo", **key})
        assert answer.json() == {"released": True}


def states(bench: Bench) -> list[str]:
    return [state for _, state, _ in bench.said()]


async def test_the_fourth_of_one_template_within_an_hour_waits_for_a_person(pool: Any, smtp: Any) -> None:
    async with Bench(pool, smtp, rules=Rules(repeats=3)) as bench:
        await bench.turn(*known(), *known("c2"), *(send(f"m{n}") for n in range(5)), send("other", "c2"))
        await bench.settle()
        assert states(bench) == ["sent"] * 4  # three of them, and the other customer's
        assert await bench.state("m3") == ("held", "brake:repeat:demo:f2/thanks c1")
        await released(bench, kind="repeat", name="f2/thanks c1")
        await bench.settle()
        assert states(bench) == ["sent"] * 6
        bench.clock.tick = NOON + timedelta(minutes=30)
        await bench.turn(send("m6"))
        await bench.settle()
        assert (await bench.state("m6"))[0] == "sent"  # the release is good for an hour


async def test_more_than_a_multiple_of_the_usual_waits_for_a_person(pool: Any, smtp: Any) -> None:
    async with Bench(pool, smtp, rules=Rules(surge=2.0, surge_floor=8)) as bench:
        people = [record for n in range(40) for record in known(f"c{n}")]
        await bench.turn(*people, *(send(f"m{n}", f"c{n}") for n in range(40)))
        await bench.settle()
        sent = len(bench.said())
        assert 8 <= sent <= 16  # a claim of eight slots may go beyond
        held = await pool.fetchval("SELECT count(*) FROM delivery WHERE reason = 'brake:volume:demo'")
        assert held == 40 - sent
        await released(bench, kind="volume")
        await bench.settle()
        assert states(bench) == ["sent"] * 40


async def test_what_is_usual_goes(pool: Any, smtp: Any) -> None:
    async with Bench(pool, smtp, rules=Rules(surge=2.0, surge_floor=8)) as bench:
        yesterday = NOON - timedelta(days=1)
        await pool.execute("INSERT INTO sent_hour (workspace, p, hour, n) VALUES ('demo', 0, $1, 5040)", yesterday)
        people = [record for n in range(40) for record in known(f"c{n}")]
        await bench.turn(*people, *(send(f"m{n}", f"c{n}") for n in range(40)))
        await bench.settle()
        assert states(bench) == ["sent"] * 40


async def test_counts_that_are_too_old_to_say_what_is_usual_are_deleted(pool: Any, smtp: Any) -> None:
    async with Bench(pool, smtp) as bench:
        for days in (1, 6, 8, 30):
            when = NOON - timedelta(days=days)
            await pool.execute("INSERT INTO sent_hour (workspace, p, hour, n) VALUES ('demo', 0, $1, 1)", when)
        await bench.turn()
        kept = await pool.fetch("SELECT hour FROM sent_hour ORDER BY hour")
        assert [row[0] for row in kept] == [NOON - timedelta(days=6), NOON - timedelta(days=1)]
