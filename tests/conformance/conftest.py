"""Yards of toys on the shared broker and database."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.harness import Stories, Yard, yard
from tests.conformance.zygote import Zygote


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
