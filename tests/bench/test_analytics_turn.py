"""What a turn of analytics costs an order, beside the bare write of as many rows."""

from __future__ import annotations

import gc
import time

import pytest

from tests.integration.analytics.conftest import schema, yard
from tests.integration.analytics.test_cdnow import log, shuffled
from tests.integration.analytics.yard import Yard

__all__ = ["schema", "yard"]
pytestmark = pytest.mark.bench
TURN = 1000


async def test_the_whole_purchase_log_in_turns_of_a_thousand(yard: Yard) -> None:
    records = log(full=True)
    gc.collect()
    gc.freeze()
    ceiling = await bare(yard, len(records))
    for name, arranged in (("by date", records), ("shuffled", shuffled(records))):
        await yard.patient.execute("TRUNCATE order_fact, cohort_cell, frequency_cell, second_order_cell, medium_cell")
        wall, own = time.perf_counter(), time.process_time()
        await yard.feed(arranged, TURN)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        print(
            f"\n{name}: {len(records) / wall:,.0f} orders/s, {own / len(records) * 1e6:.0f} µs of Python an order;"
            f" {wall / ceiling:.1f} × the bare insert of as many facts"
        )
    gc.unfreeze()


async def bare(yard: Yard, count: int) -> float:
    """Seconds that PostgreSQL takes to insert as many orders, a thousand a transaction, with nothing else done."""
    started = time.perf_counter()
    for turn in range(0, count, TURN):
        await yard.pool.execute(
            "INSERT INTO order_fact (key, workspace, customer, order_id, occurred_at, amount_minor, currency)"
            " SELECT decode(md5(n::text), 'hex'), 'demo', (n % 23570)::text, n::text, 'epoch', n, 'USD'"
            " FROM generate_series($1::int, $2::int) n",
            turn,
            turn + TURN - 1,
        )
    return time.perf_counter() - started
