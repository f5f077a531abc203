"""Pairs that can never meet: every call below is a type error, and `make check` fails where one is not any more."""

from typing import Any

from tabiji_common.commands import SendMessage, Transition
from tabiji_common.events import OrderCompleted, PageViewed, PurchaseEvent
from tabiji_common.service import Service
from tabiji_common.topics import CUSTOM, CUSTOMERS, ENGAGEMENTS, PAGE_VIEWS, PURCHASES, SENDS, TRANSITIONS, Record


async def order(event: OrderCompleted) -> list[Record[Any]]:
    return []


async def purchase(event: PurchaseEvent) -> list[Record[Any]]:
    return []


async def view(event: PageViewed) -> list[Record[Any]]:
    return []


async def order_or_view(event: OrderCompleted | PageViewed) -> list[Record[Any]]:
    return []


async def send(command: SendMessage) -> list[Record[Any]]:
    return []


async def moved(transition: Transition) -> list[Record[Any]]:
    return []


async def silent(event: OrderCompleted) -> None:
    return None


def wire(service: Service) -> None:
    service.consume(PAGE_VIEWS, order)  # type: ignore[arg-type]
    service.consume(PAGE_VIEWS, purchase)  # type: ignore[arg-type]
    service.consume(PURCHASES, view)  # type: ignore[type-var]
    service.consume(PURCHASES, order_or_view)  # type: ignore[type-var]
    service.consume(ENGAGEMENTS, order)  # type: ignore[arg-type]
    service.consume(CUSTOMERS, order)  # type: ignore[arg-type]
    service.consume(CUSTOM, order)  # type: ignore[arg-type]
    service.consume(SENDS, order)  # type: ignore[arg-type]
    service.consume(SENDS, moved)  # type: ignore[arg-type, type-var]
    service.consume(TRANSITIONS, send)  # type: ignore[arg-type, type-var]
    service.consume(PURCHASES, silent)  # type: ignore[arg-type]
