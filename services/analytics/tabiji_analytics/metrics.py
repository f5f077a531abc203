"""What analytics counts, declared once."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from tabiji_common.users import Users

FACTS = Counter("tabiji_analytics_facts_total", "Facts that were new and are kept", ["kind"])
REPEATS = Counter("tabiji_analytics_repeats_total", "Facts that were known already and changed nothing")
ORDER_CONFLICTS = Counter(
    "tabiji_analytics_order_conflict_total", "Orders that came again with another amount or currency; the first counts"
)
REFUNDS_WAITING = Counter("tabiji_analytics_refunds_waiting_total", "Refunds that came before their order")
HANDED_OVER = Counter("tabiji_analytics_handed_over_total", "Facts passed on to another customer")
MERGE_PENDING = Counter("tabiji_analytics_merge_pending_total", "Pairs of known customers said to be one")
ERASED = Counter("tabiji_analytics_erased_total", "Customers whose facts were put under a random id")
DRIFT_CELLS = Gauge(
    "tabiji_analytics_drift_cells", "Cells of views that differ from the recomputation from facts; must be 0", ["view"]
)
CHECKED_CELLS = Gauge("tabiji_analytics_checked_cells", "Cells of views that the last recomputation compared", ["view"])
RECOMPUTE_SECONDS = Histogram(
    "tabiji_analytics_recompute_seconds",
    "Time of one recomputation of all views",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)


@dataclass(slots=True)
class Counts:
    """What a turn did, counted once it is committed: new facts by kind, and everything else; ids found to be users'."""

    facts: collections.Counter[str] = field(default_factory=collections.Counter)
    other: collections.Counter[str] = field(default_factory=collections.Counter)
    users: list[Users] = field(default_factory=list)

    def add(self, more: Counts) -> None:
        """Add ``more`` to these."""
        self.facts.update(more.facts)
        self.other.update(more.other)
        self.users += more.users

    def publish(self) -> None:
        """Add these to the metrics."""
        for kind, count in self.facts.items():
            FACTS.labels(kind).inc(count)
        REPEATS.inc(self.other["repeat"])
        ORDER_CONFLICTS.inc(self.other["conflict"])
        REFUNDS_WAITING.inc(self.other["waiting"])
        HANDED_OVER.inc(self.other["handed_over"])
        MERGE_PENDING.inc(self.other["merge_pending"])
        ERASED.inc(self.other["erased"])
