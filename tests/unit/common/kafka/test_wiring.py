"""Which types a handler takes is told by its annotation, before anything is decoded."""

from typing import Any

import pytest

from tabiji_common.events import (
    CustomEvent,
    Event,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    PageViewed,
    SubscriptionEvent,
)
from tabiji_common.kafka.wiring import Takes
from tabiji_common.topics import CUSTOM, PAGE_VIEWS, PURCHASES, Record, Topic


async def one(event: OrderCompleted) -> list[Record[Any]]:
    return []


async def family(event: OrderEvent) -> list[Record[Any]]:
    return []


async def either(event: OrderCompleted | OrderDelivered) -> list[Record[Any]]:
    return []


async def anything(event: Event) -> list[Record[Any]]:
    return []


async def unannotated(event):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return []


async def custom(event: CustomEvent) -> list[Record[Any]]:
    return []


class Announcer:
    async def announce(self, event: "SubscriptionEvent") -> list[Record[Any]]:
        return []

    async def __call__(self, event: OrderCompleted) -> list[Record[Any]]:
        return []


CASES: list[tuple[Topic[Any], Any, set[str]]] = [
    (PURCHASES, one, {"order_completed"}),
    (PURCHASES, family, {name for name in PURCHASES.types if name.startswith("order_")}),
    (PURCHASES, either, {"order_completed", "order_delivered"}),
    (PURCHASES, anything, set(PURCHASES.types)),
    (PURCHASES, unannotated, set(PURCHASES.types)),
    (PURCHASES, Announcer().announce, {name for name in PURCHASES.types if name.startswith("subscription_")}),
    (PURCHASES, Announcer(), {"order_completed"}),
    (PAGE_VIEWS, anything, set(PAGE_VIEWS.types)),
]


@pytest.mark.parametrize(("topic", "handler", "wanted"), CASES)
def test_a_handler_takes_the_types_of_its_annotation(topic: Topic[Any], handler: Any, wanted: set[str]) -> None:
    takes = Takes(topic, handler)
    assert {name for name in topic.types if takes(name)} == wanted


def test_a_type_that_the_topic_does_not_know_is_decoded_and_refused_there() -> None:
    assert Takes(PURCHASES, one)("no_such_type")


def test_any_name_is_a_custom_event() -> None:
    assert Takes(CUSTOM, custom)("whatever a shop tracks")


async def view(event: PageViewed) -> list[Record[Any]]:
    return []


async def half(event: PageViewed | OrderCompleted) -> list[Record[Any]]:
    return []


@pytest.mark.parametrize(("topic", "handler"), [(PURCHASES, view), (PURCHASES, half), (PAGE_VIEWS, one), (CUSTOM, one)])
def test_a_handler_of_a_type_that_the_topic_does_not_hold_is_refused(topic: Topic[Any], handler: Any) -> None:
    with pytest.raises(TypeError, match="would never be called"):
        Takes(topic, handler)
