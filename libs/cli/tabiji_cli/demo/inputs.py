"""CDNOW orders -> everything that those shops' customers did, in order of time, and in which rounds to post it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from tabiji_cli.cdnow import Order
from tabiji_cli.chance import chance
from tabiji_cli.demo.life import Input, Life, at

# Which topic a kind of event ends up on: one customer's events on different topics are posted one after the other.
LANES = {
    "identified": "customer",
    "consent_given": "customer",
    "line_consent_given": "customer",
    "page_viewed": "page_view",
    "product_viewed": "page_view",
    "product_added": "page_view",
    "order_completed": "purchase",
    "order_shipped": "purchase",
    "order_delivered": "purchase",
}


@dataclass(frozen=True)
class Plan:
    """All inputs in order of time; ``end`` is the end of the last order's day at the shop."""

    inputs: list[Input]
    customers: int
    orders: int
    end: datetime

    @property
    def start(self) -> datetime:
        """When the first thing happens."""
        return self.inputs[0].occurred_at


def slice_of(orders: Iterable[Order], *, customers: int = 0, days: int = 0, seed: str) -> list[Order]:
    """The orders of ``customers`` customers, chosen by hash, in the log's first ``days`` days; 0 means all."""
    kept = sorted(orders, key=lambda order: (order.ordered_on, order.customer_id))
    if days:
        until = kept[0].ordered_on + timedelta(days=days)
        kept = [order for order in kept if order.ordered_on < until]
    if customers:
        everyone = {order.customer_id for order in kept}
        chosen = set(sorted(everyone, key=lambda who: chance(seed, who, "slice"))[:customers])
        kept = [order for order in kept if order.customer_id in chosen]
    return kept


def plan(orders: Iterable[Order], seed: str) -> Plan:
    """What happens; raises ``ValueError`` where there are no orders. The order of ``orders`` does not matter."""
    lives: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        lives[order.customer_id].append(order)
    if not lives:
        raise ValueError("no orders to replay")
    last = max(order.ordered_on for life in lives.values() for order in life)
    end = at(last + timedelta(days=1), time(0))
    inputs = [
        step
        for customer, life in lives.items()
        for step in Life(customer, sorted(life, key=lambda order: order.ordered_on), seed, end)
    ]
    inputs.sort(key=lambda step: (step.occurred_at, step.customer, step.rank))
    return Plan(inputs, len(lives), sum(map(len, lives.values())), end)


def waves(inputs: Iterable[Input]) -> list[list[Input]]:
    """The inputs of one tick in rounds: a round may be posted at once, the next after it was answered.

    A customer's events on one topic go together, those on another topic afterwards: the log's order is the customer's.
    Everybody's last ones are in the last round, shortly before the tick.
    """
    runs: dict[str, list[list[Input]]] = defaultdict(list)
    for step in inputs:
        own = runs[step.customer]
        if own and LANES[own[-1][-1].kind] == LANES[step.kind]:
            own[-1].append(step)
        else:
            own.append([step])
    rounds: list[list[Input]] = [[] for _ in range(max(map(len, runs.values()), default=0))]
    for own in runs.values():
        for place, run in enumerate(reversed(own), 1):
            rounds[-place].extend(run)
    return rounds
