"""The vip service with a handler that refuses some orders, and cannot do others at the first try."""

from typing import Any

from tabiji_common.errors import Reject, Retry
from tabiji_common.events import OrderCompleted
from tabiji_common.service import Service
from tabiji_common.topics import PURCHASES, Record
from tests.conformance.vip import announce_vip

tries: dict[str, int] = {}


async def announce(event: OrderCompleted) -> list[Record[Any]]:
    tries[event.order_id] = tries.get(event.order_id, 0) + 1
    if event.properties.get("refuse"):
        raise Reject("is not a number we know", "properties.refuse")
    if tries[event.order_id] <= event.properties.get("fail", 0):
        raise Retry("the directory does not answer")
    return await announce_vip(event)


def main() -> None:
    Service("vip").consume(PURCHASES, announce).run()
