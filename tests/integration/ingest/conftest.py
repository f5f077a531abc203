"""One running ingest for each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ingest.harness import House, house


@pytest.fixture
def ingest(kafka: Any, database: str, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """Ingest, ready, with the keys of the harness."""
    with house(kafka, database, topic_prefix, tmp_path) as made:
        yield made
