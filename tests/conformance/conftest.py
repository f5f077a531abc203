"""Yards of toys on the shared broker and database."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tabiji_common.postgres import connect_pool, migrate
from tests.conformance.harness import Stories, Yard, yard
from tests.conformance.zygote import Zygote

PoolStory = Callable[[Any], Awaitable[None]]
Told = Callable[[PoolStory], None]


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Forks the toys of this session."""
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it warns of every retry
    made = Zygote()
    yield made
    made.stop()


@pytest.fixture
def toys(kafka: Any, database: str, topic_prefix: str, zygote: Zygote) -> Iterator[Yard]:
    """An installation of this test's own."""
    with yard(kafka, database, topic_prefix, zygote) as made:
        yield made


@pytest.fixture(scope="module")
def stories(kafka: Any, postgres: Any, zygote: Zygote) -> Stories:
    """Tells several stories at once."""
    return Stories(kafka, postgres, zygote)


@pytest.fixture
def told(database: str) -> Told:
    """Tells a story with a pool on a fresh schema."""

    async def tell(story: PoolStory) -> None:
        pool = await connect_pool(database, "toy")
        try:
            await story(pool)
        finally:
            await pool.close()

    def told(story: PoolStory) -> None:
        migrate(database, "toy", Path(__file__).parent / "toy_migrations")
        asyncio.run(tell(story))

    return told
