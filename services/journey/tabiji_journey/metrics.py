"""The journey service's metrics; never a customer among the labels."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from tabiji_journey.domain.model import Cancel, Effect, Send

ENTERED = Counter("tabiji_journey_entered_total", "Enrollments begun", ["journey"])
FINISHED = Counter("tabiji_journey_finished_total", "Enrollments that came to an end state", ["journey"])
EXITED = Counter("tabiji_journey_exited_total", "Enrollments ended before an end state", ["journey", "reason"])
CONVERTED = Counter("tabiji_journey_converted_total", "Enrollments whose goal was reached in time", ["journey"])
TRANSITIONS = Counter("tabiji_journey_transitions_total", "Moves of enrollments", ["kind"])
SENDS = Counter("tabiji_journey_sends_total", "Messages asked for", ["journey"])
WITHDRAWN = Counter("tabiji_journey_withdrawn_total", "Messages taken back before they were handed to Kafka")
CANCELLED = Counter("tabiji_journey_cancelled_total", "Messages that dispatch was asked not to send")
TIMERS_FIRED = Counter("tabiji_journey_timers_fired_total", "Timers that came due")
TIMER_LATENESS = Histogram(
    "tabiji_journey_timer_lateness_seconds",
    "How long after they were due timers fired",
    buckets=(1, 2, 5, 15, 60, 300, 900, 3600, 21600, 86400),
)
ORDER_CONFLICT = Counter(
    "tabiji_journey_order_conflict_total", "Orders told again with another amount; the first one counts"
)
MEMORY_EVICTED = Counter("tabiji_journey_memory_evicted_total", "Occurrences pushed out of a customer's memory")
MERGE_PENDING = Counter("tabiji_journey_merge_pending_total", "Pairs of known customers said to be one; nothing moved")
HANDED_OVER = Counter("tabiji_journey_handed_over_total", "Events of anonymous visitors passed on")
HANDOVER_LOST = Counter("tabiji_journey_handover_lost_total", "Events passed on three times already, dead-lettered")
DEFINITION_ERRORS = Counter("tabiji_journey_definition_errors_total", "Conditions that failed to evaluate", ["journey"])
PARKED = Counter("tabiji_journey_parked_total", "Customers parked because the fold failed on them")
ERASED = Counter("tabiji_journey_erased_total", "Customers forgotten")
TOO_LATE = Counter(
    "tabiji_journey_forgotten_events_total", "Events from before their customer's erasure that were read after it"
)
WAITING = Gauge("tabiji_journey_waiting_enrollments", "Enrollments that wait", ["journey"])
STUCK = Gauge(
    "tabiji_journey_stuck_enrollments",
    "Enrollments that wait without a timer: nothing will move them; 0 is right; paused and parked aside",
)
OVERDUE = Gauge(
    "tabiji_journey_overdue_enrollments",
    "Enrollments whose timer is more than a minute past: kept back by the release rate or a guard, or not owned",
)
MISCOUNTED = Gauge("tabiji_journey_miscounted_enrollments", "How far the running counts are from the rows; 0 is right")
PAUSED = Gauge("tabiji_journey_paused_enrollments", "Enrollments whose timers are held by a pause")
PARKED_WAITING = Gauge("tabiji_journey_parked_enrollments", "Enrollments of parked customers")
UNBALANCED = Gauge(
    "tabiji_journey_unbalanced_enrollments",
    "Entered by the ledger, less waiting, finished and exited; 0 is right",
)


def count_effects(effects: Iterable[Effect]) -> None:
    """Count what was decided, once it is committed; a label is looked up once, however many there are of it."""
    for (metric, *labels), n in Tally(counted for effect in effects for counted in _counted(effect)).items():
        (metric.labels(*labels) if labels else metric).inc(n)


def _counted(effect: Effect) -> Iterator[tuple[Any, ...]]:
    """(metric, labels …) of one effect."""
    if isinstance(effect, Send):
        yield SENDS, effect.journey
    elif isinstance(effect, Cancel):
        yield (CANCELLED,)
    else:
        yield TRANSITIONS, effect.kind
        if effect.kind == "entered":
            yield ENTERED, effect.journey
        elif effect.kind == "finished":
            yield FINISHED, effect.journey
        elif effect.kind == "exited":
            # A command's reason is anybody's text: labels are a closed set.
            yield EXITED, effect.journey, "command" if effect.cause == "command" else effect.reason
        elif effect.kind == "converted":
            yield CONVERTED, effect.journey


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Set the gauges from the conservation check; every process shows all partition numbers."""
    WAITING.clear()
    for row in rows:
        WAITING.labels(row["journey"]).inc(row["waiting"])
    STUCK.set(sum(row["stuck"] for row in rows))
    OVERDUE.set(sum(row["overdue"] for row in rows))
    MISCOUNTED.set(sum(row["miscounted"] for row in rows))
    PAUSED.set(sum(row["paused"] for row in rows))
    PARKED_WAITING.set(sum(row["parked"] for row in rows))
    UNBALANCED.set(sum(abs(row["balance"]) for row in rows))
