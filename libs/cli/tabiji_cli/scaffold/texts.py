"""What a new service consists of: thirty lines of its own, a card, a package and a test."""

from __future__ import annotations

from dataclasses import dataclass

NEIGHBOUR_PORT = 8040


@dataclass(frozen=True)
class Names:
    """The service's name in every spelling, and its port."""

    name: str
    title: str
    port: int

    @classmethod
    def of(cls, name: str, port: int) -> Names:
        """The spellings of ``name``."""
        return cls(name, name.capitalize(), port)

    def filled(self, text: str) -> str:
        """``text`` with the marks filled in."""
        marks = {"@name@": self.name, "@Title@": self.title, "@CAPS@": self.name.upper(), "@port@": str(self.port)}
        for mark, word in marks.items():
            text = text.replace(mark, word)
        return text

    def beside(self, text: str) -> str:
        """What stands in a list for the neighbour, for this service; its ports are moved, its admin port too."""
        moved = text.replace(str(NEIGHBOUR_PORT + 1000), str(self.port + 1000))
        return moved.replace(str(NEIGHBOUR_PORT), str(self.port)).replace("analytics", self.name)


PIPELINE = '''
"""events.purchase.v1 -> @name@.reached.v1"""

from typing import Any

from tabiji_common.commands import Payload
from tabiji_common.events import OrderCompleted
from tabiji_common.topics import PURCHASES, Record, Topic

THRESHOLD = 50_000


class @Title@Reached(Payload, frozen=True, kw_only=True):
    """One order was large."""

    amount_minor: int


REACHED: Topic[@Title@Reached] = Topic("@name@.reached.v1", {"@name@_reached": @Title@Reached}, "large orders")
INPUTS: tuple[Topic[Any], ...] = (PURCHASES,)
OUTPUTS: tuple[Topic[Any], ...] = (REACHED,)


async def announce_@name@(event: OrderCompleted) -> list[Record[Any]]:
    if event.amount_minor < THRESHOLD:
        return []
    return [REACHED.record(event.then(@Title@Reached, amount_minor=event.amount_minor))]
'''

MAIN = '''
"""Runs @name@."""

from tabiji_common.service import Service
from tabiji_common.topics import PURCHASES
from tabiji_@name@.pipeline import announce_@name@
from tabiji_@name@.settings import @Title@Settings


if __name__ == "__main__":
    Service("@name@", @Title@Settings()).consume(PURCHASES, announce_@name@).run()
'''

SETTINGS = '''
"""Settings of @name@."""

from pydantic import Field

from tabiji_common.settings import Settings


class @Title@Settings(Settings):
    port: int = Field(@port@, description="Health and metrics are 1000 above; an API, once there is one, is here")
'''

PYPROJECT = """
[build-system]
requires = ["flit_core >=4,<5"]
build-backend = "flit_core.buildapi"

[project]
name = "tabiji-@name@"
version = "0.1.0"
description = "Tabiji: @name@"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = ["tabiji-common"]

[tool.flit.module]
name = "tabiji_@name@"
"""

CARD = """
# @name@ announces

Who placed a large order is told to everyone who wants to know.

| | |
|---|---|
| **does** | says once for every order of 50,000 minor units or more that its customer placed one |
| **reads** | `events.purchase.v1` |
| **writes** | `@name@.reached.v1` |
| **stores** | nothing: its offsets are in Kafka, and a record that comes again makes the same record |
| **watch** | `tabiji_runtime_rejected_total{group="@name@"}`, and the lag of its group in Kafka |
| **if it stops** | nothing is lost; it reads on where it stopped |
"""

TEST = '''
"""What @name@ announces, and what it does not."""

from datetime import UTC, datetime

import pytest

from tabiji_common.cause import Cause, answering
from tabiji_common.events import OrderCompleted
from tabiji_@name@.pipeline import REACHED, THRESHOLD, @Title@Reached, announce_@name@

THEN = datetime(2026, 4, 1, tzinfo=UTC)


def order(amount: int) -> OrderCompleted:
    return OrderCompleted(workspace="demo", customer="c-1", order_id="o-1", amount_minor=amount, currency="JPY")


async def test_a_large_order_is_announced_under_its_customers_key() -> None:
    with answering(Cause("@name@", ("demo:c-1", "segment", "m-1"), THEN, THEN, "live")):
        (record,) = await announce_@name@(order(THRESHOLD))
    assert (record.topic, record.key, record.occurred_at) == (REACHED, "demo:c-1", THEN)
    assert record.body == @Title@Reached(workspace="demo", customer="c-1", amount_minor=THRESHOLD)


@pytest.mark.parametrize("amount", [THRESHOLD - 1, 0, -THRESHOLD])
async def test_a_smaller_order_is_not(amount: int) -> None:
    assert await announce_@name@(order(amount)) == []
'''

FILES = {
    "services/@name@/README.md": CARD.lstrip(),
    "services/@name@/pyproject.toml": PYPROJECT.lstrip(),
    "services/@name@/tabiji_@name@/__init__.py": '"""Tabiji: @name@."""\n',
    "services/@name@/tabiji_@name@/__main__.py": MAIN.lstrip(),
    "services/@name@/tabiji_@name@/pipeline.py": PIPELINE.lstrip(),
    "services/@name@/tabiji_@name@/py.typed": "",
    "services/@name@/tabiji_@name@/settings.py": SETTINGS.lstrip(),
    "tests/unit/@name@/test_announce.py": TEST.lstrip(),
}
