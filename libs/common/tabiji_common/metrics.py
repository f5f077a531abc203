"""The runtime's metrics, declared once; a service declares its own in its ``metrics.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from tabiji_common.logs import logger

if TYPE_CHECKING:
    from tabiji_common.kafka.loop import Loop
    from tabiji_common.kafka.transact import Written

log = logger(__name__)

TURNS = Counter("tabiji_runtime_turns_total", "Transactions that the loop committed", ["group"])
RECORDS = Counter("tabiji_runtime_records_total", "Records applied", ["group"])
REPEATS = Counter(
    "tabiji_runtime_repeats_total",
    "Records dropped because they had been applied before",
    ["group"],
)
REJECTED = Counter("tabiji_runtime_rejected_total", "Records dead-lettered", ["group"])
RETRIES = Counter("tabiji_runtime_retries_total", "Turns rolled back and tried again", ["group"])
FENCED = Counter("tabiji_runtime_fenced_total", "Times a newer owner was met", ["group"])
TAKEN = Counter("tabiji_runtime_taken_total", "Partition numbers taken over", ["group"])
PUBLISHED = Counter("tabiji_runtime_published_total", "Outbox records acked by Kafka", ["group"])
OUTBOX = Gauge("tabiji_runtime_outbox_records", "Outbox records not yet acked", ["group"])
OUTBOX_AGE = Gauge(
    "tabiji_runtime_outbox_age_seconds", "How long the records at its head have been waiting for Kafka's ack", ["group"]
)
TOO_LARGE = Counter(
    "tabiji_runtime_too_large_total",
    "Outgoing records too large for the broker: they stay in the outbox, or their cause is dead-lettered",
    ["group"],
)
HELD = Gauge("tabiji_runtime_held_records", "Sends that wait for their barrier", ["group"])
PARKED = Gauge("tabiji_runtime_parked_customers", "Customers whose records wait for an operator", ["group"])
OWNED = Gauge("tabiji_runtime_owned_partitions", "Partition numbers that this process owns", ["group"])
PARTITIONS = Gauge(
    "tabiji_runtime_partitions", "Partition numbers that there are; the processes of a group own them all", ["group"]
)
LAG = Gauge("tabiji_runtime_lag_records", "Records in the log that are not applied yet", ["group"])
CLOCK_LEAPT = Gauge(
    "tabiji_runtime_clock_leapt", "1 while timers stand still because the clock ran ahead of the machine", ["group"]
)
RESTORED = Gauge(
    "tabiji_runtime_restored",
    "1 while timers stand still because the database was restored, cloned or went back",
    ["group"],
)
INBOX_MISSING = Gauge(
    "tabiji_runtime_inbox_missing_partitions",
    "Days about to come without a partition of the inbox: its upkeep does not get through; 0 is right",
    ["group"],
)
TURN_SECONDS = Histogram("tabiji_runtime_turn_seconds", "Time of one transaction, commit included", ["group"])
HTTP_REQUESTS = Counter(
    "tabiji_runtime_http_requests_total",
    "Requests that a service's API answered, by class of status",
    ["group", "status"],
)
HTTP_SECONDS = Histogram("tabiji_runtime_http_request_seconds", "Time until a service's API began to answer", ["group"])
PRODUCER_REPLACED = Counter("tabiji_runtime_producer_replaced_total", "Producers thrown away after an error")
PRODUCE_FAILED = Counter("tabiji_runtime_produce_failed_total", "Appends whose ack did not come")


def measure(loop: Loop, written: Written, records: int) -> None:
    """Count a committed turn; one line for each refusal and each customer parked, none for success."""
    group = loop.group
    TURNS.labels(group).inc()
    RECORDS.labels(group).inc(records)
    REPEATS.labels(group).inc(written.repeats)
    REJECTED.labels(group).inc(len(written.dead))
    for record, reason in written.dead:
        log.warning("record_rejected", topic=record.topic, p=record.partition, offset=record.offset, reason=reason)
    for key, p in written.parked.items():
        log.error("customer_parked", p=p, error=written.applied.parked[key])
    OUTBOX.labels(group).set(len(loop.outbox))
    HELD.labels(group).set(len(loop.outbox.waiting))
    PARKED.labels(group).set(len(loop.parked))
    PARTITIONS.labels(group).set(loop.partitions)
