"""events.purchase.v1 -> vip.reached.v1"""

from typing import Any

from tabiji_common.commands import Payload
from tabiji_common.events import OrderCompleted
from tabiji_common.service import Service
from tabiji_common.topics import PURCHASES, Record, Topic

THRESHOLD = 50_000


class VipReached(Payload, frozen=True, kw_only=True):
    """One order was large."""

    amount_minor: int


VIPS: Topic[VipReached] = Topic("vip.reached.v1", {"vip_reached": VipReached}, "customers whose order was large")


async def announce_vip(event: OrderCompleted) -> list[Record[Any]]:
    if event.amount_minor < THRESHOLD:
        return []
    return [VIPS.record(event.then(VipReached, amount_minor=event.amount_minor))]


def main() -> None:
    Service("vip").consume(PURCHASES, announce_vip).run()


if __name__ == "__main__":
    main()
