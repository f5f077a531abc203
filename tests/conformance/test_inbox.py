"""The inbox's upkeep on the real database, with dates set by hand."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from tabiji_common import hourly
from tabiji_common.clock import LiveClock
from tabiji_common.clock_guard import ClockGuard
from tabiji_common.kafka import inbox
from tabiji_common.kafka.inbox import BATCH, KEPT, keep_up, upkeep
from tabiji_common.metrics import INBOX_MISSING
from tests.conformance.conftest import Told

TODAY = date(2026, 3, 10)
DAY = timedelta(days=1)


class Wall(LiveClock):
    """A wall clock that stands, and may be ``ahead`` of the machine's."""

    ahead = 0 * DAY

    def now(self) -> datetime:
        return datetime.combine(TODAY, time(12), UTC) + self.ahead

    def elapsed(self) -> float:
        return 100.0


async def kept(pool: Any, guard: ClockGuard) -> None:
    """The upkeep as a service runs it."""
    await hourly.hourly("inbox_upkeep", guard, partial(keep_up, pool, "toy"))


async def put(pool: Any, table: str, day: date, count: int = 1) -> None:
    await pool.execute(
        f"INSERT INTO {table} (day, id, p, batch, body)"
        " SELECT $1, decode(lpad(to_hex(n), 32, '0'), 'hex'), 0, 1, '' FROM generate_series(1, $2::int) n",
        day,
        count,
    )


async def where(pool: Any, table: str) -> dict[str, int]:
    """Rows by partition."""
    rows = await pool.fetch(f"SELECT tableoid::regclass::text AS name, count(*) FROM {table} GROUP BY 1")
    return {row["name"]: row["count"] for row in rows}


async def partitions(pool: Any, table: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = $1::text::regclass"
        " ORDER BY 1",
        table,
    )
    return [row["relname"] for row in rows]


def test_days_about_to_come_get_partitions_of_their_own_ahead(told: Told) -> None:
    async def story(pool: Any) -> None:
        assert await upkeep(pool, "toy", TODAY)
        for table in ("inbox", "inbox_page_view"):
            days = [f"{table}_202603{n:02}" for n in (9, 10, 11, 12)]
            assert await partitions(pool, table) == [*days, f"{table}_rest"]
        assert await upkeep(pool, "toy", TODAY + DAY)
        assert len(await partitions(pool, "inbox")) == 6
        await put(pool, "inbox", TODAY + 2 * DAY)
        assert await where(pool, "inbox") == {"inbox_20260312": 1}

    told(story)


def test_identities_that_came_before_their_partition_move_into_it_and_still_drop_repeats(
    told: Told,
) -> None:
    async def story(pool: Any) -> None:
        await put(pool, "inbox", TODAY, 3)
        assert await upkeep(pool, "toy", TODAY)
        assert await where(pool, "inbox") == {"inbox_20260310": 3}
        with pytest.raises(asyncpg.UniqueViolationError):
            await put(pool, "inbox", TODAY)

    told(story)


def test_days_beyond_the_window_are_dropped_page_views_sooner(told: Told) -> None:
    async def story(pool: Any) -> None:
        await upkeep(pool, "toy", TODAY)
        for table in ("inbox", "inbox_page_view"):
            for n in (9, 10, 11):
                await put(pool, table, date(2026, 3, n))
        await put(pool, "inbox", date(2026, 3, 18))
        await upkeep(pool, "toy", date(2026, 3, 18))
        assert await where(pool, "inbox_page_view") == {"inbox_page_view_20260311": 1}
        assert len(await where(pool, "inbox")) == 4
        await put(pool, "inbox", date(2026, 3, 10) + 45 * DAY)
        await upkeep(pool, "toy", date(2026, 3, 10) + 45 * DAY)
        assert sorted(await where(pool, "inbox")) == [
            f"inbox_{day}" for day in (20260310, 20260311, 20260318, 20260424)
        ]
        assert "inbox_20260309" not in await partitions(pool, "inbox")

    told(story)


def test_old_identities_without_a_partition_go_too_in_batches(told: Told) -> None:
    async def story(pool: Any) -> None:
        await put(pool, "inbox", TODAY - 46 * DAY, 2 * BATCH + 10)
        await put(pool, "inbox", TODAY - 45 * DAY, 5)
        await put(pool, "inbox", TODAY + 30 * DAY, 7)
        await put(pool, "inbox", TODAY)
        await upkeep(pool, "toy", TODAY)
        assert await where(pool, "inbox") == {"inbox_20260310": 1, "inbox_rest": 12}

    told(story)


def test_a_clock_alone_drops_nothing(told: Told) -> None:
    async def story(pool: Any) -> None:
        await upkeep(pool, "toy", TODAY)
        for table in KEPT:
            await put(pool, table, TODAY - 2 * DAY)
            await put(pool, table, TODAY)
        await upkeep(pool, "toy", TODAY + 400 * DAY)
        for table in KEPT:
            assert await where(pool, table) == {f"{table}_20260310": 1, f"{table}_rest": 1}

    told(story)


def test_while_the_clock_is_not_believed_nothing_is_dropped_and_days_are_made_at_the_machines_pace(
    told: Told,
) -> None:
    async def story(pool: Any) -> None:
        clock = Wall()
        guard = ClockGuard(clock)
        await put(pool, "inbox", TODAY - 46 * DAY)
        await put(pool, "inbox", TODAY + 2 * DAY)
        clock.ahead = 2 * DAY
        keeping = asyncio.create_task(kept(pool, guard))
        while len(await partitions(pool, "inbox_page_view")) < 5:
            await asyncio.sleep(0.05)
        keeping.cancel()
        assert await partitions(pool, "inbox") == [*(f"inbox_202603{n:02}" for n in (9, 10, 11, 12)), "inbox_rest"]
        assert await where(pool, "inbox") == {"inbox_20260312": 1, "inbox_rest": 1}
        guard.accept()
        keeping = asyncio.create_task(kept(pool, guard))
        while "inbox_rest" in await where(pool, "inbox"):
            await asyncio.sleep(0.05)
        keeping.cancel()

    told(story)


def test_an_upkeep_that_does_not_get_through_is_seen_and_tried_again(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the default partition is too large for the statement timeout."""
    missing = INBOX_MISSING.labels("toy")._value.get
    monkeypatch.setattr(hourly, "AGAIN", 0.1)

    async def story(pool: Any) -> None:
        async with pool.acquire() as holder, holder.transaction():
            await holder.execute("LOCK TABLE inbox_rest IN ACCESS SHARE MODE")
            keeping = asyncio.create_task(kept(pool, ClockGuard(Wall())))
            while missing() == 0:
                await asyncio.sleep(0.05)
            assert missing() == 2 * len(inbox.DAYS)
        while missing() > 0:
            await asyncio.sleep(0.05)
        assert len(await partitions(pool, "inbox")) == 5
        keeping.cancel()

    told(story)


def test_of_several_processes_one_does_it(told: Told) -> None:
    async def story(pool: Any) -> None:
        done = await asyncio.gather(*(upkeep(pool, "toy", TODAY) for _ in range(4)))
        assert any(done)
        assert len(await partitions(pool, "inbox")) == 5
        async with pool.acquire() as other:
            await other.execute("SELECT pg_advisory_lock(hashtext('tabiji-toy-inbox'))")
            assert not await upkeep(pool, "toy", TODAY + 5 * DAY)
        assert await upkeep(pool, "toy", TODAY + 5 * DAY)

    told(story)


def test_turns_go_on_while_partitions_come_and_go(told: Told) -> None:
    async def story(pool: Any) -> None:
        async def insert() -> int:
            for n in range(200):
                await pool.execute(
                    "INSERT INTO inbox (day, id, p, batch, body) VALUES ($1, $2, 0, 1, '')",
                    TODAY + (n % 40 - 20) * DAY,
                    n.to_bytes(16, "big"),
                )
            return 200

        inserting = asyncio.create_task(insert())
        for n in range(10):
            await upkeep(pool, "toy", TODAY + n * DAY)
        assert await inserting == 200
        assert await pool.fetchval("SELECT count(*) FROM inbox") == 200

    told(story)
