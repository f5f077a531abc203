"""A fresh analytics schema for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tabiji_analytics.adapters.zones import settle
from tabiji_common.postgres import migrate
from tests.integration.analytics.yard import MIGRATIONS, Yard, pools


@pytest.fixture
async def yard(database: str) -> AsyncIterator[Yard]:
    await asyncio.to_thread(migrate, database, "analytics", MIGRATIONS)
    pool, patient = await pools(database)
    await settle(patient, ["Asia/Tokyo", "UTC"])
    yield Yard(pool, patient)
    await pool.close()
    await patient.close()
