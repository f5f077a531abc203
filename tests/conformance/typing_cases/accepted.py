"""Pairs of topic and handler that fit: mypy has nothing to say."""

from typing import Any

from tabiji_common.commands import SendMessage, Transition
from tabiji_common.events import (
    Event,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    PageViewed,
    PurchaseEvent,
    Unsubscribed,
)
from tabiji_common.service import Service
from tabiji_common.topics import ENGAGEMENTS, PAGE_VIEWS, PURCHASES, SENDS, TRANSITIONS, Record


async def one(event: OrderCompleted) -> list[Record[Any]]:
    return []


async def family(event: OrderEvent) -> list[Record[Any]]:
    return []


async def either(event: OrderCompleted | OrderRefunded) -> list[Record[Any]]:
    return []


async def whole(event: PurchaseEvent) -> list[Record[Any]]:
    return []


async def anything(event: Event) -> list[Record[Any]]:
    return []


async def view(event: PageViewed) -> list[Record[Any]]:
    return []


async def goodbye(event: Unsubscribed) -> list[Record[Any]]:
    return []


async def send(command: SendMessage) -> list[Record[Any]]:
    return []


async def moved(transition: Transition) -> list[Record[Any]]:
    return []


def wire() -> Service:
    service = Service("typed")
    service.consume(PURCHASES, one).consume(PURCHASES, family).consume(PURCHASES, either)
    service.consume(PURCHASES, whole).consume(PURCHASES, anything).consume(PAGE_VIEWS, anything)
    service.consume(PAGE_VIEWS, view).consume(ENGAGEMENTS, goodbye)
    return service.consume(SENDS, send).consume(TRANSITIONS, moved)
