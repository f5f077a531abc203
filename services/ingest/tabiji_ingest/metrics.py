"""Ingest's metrics, declared once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("tabiji_ingest_requests_total", "Requests answered, by route and HTTP status", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "tabiji_ingest_request_seconds",
    "Time from a request's first byte to its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10),
)
ACCEPTED = Counter("tabiji_ingest_events_accepted_total", "Events acked by Kafka and answered 200", ["mode"])
REFUSED = Counter("tabiji_ingest_events_refused_total", "Events and requests not taken, by kind of rule", ["kind"])
UNACKED = Counter("tabiji_ingest_appends_failed_total", "Appends without an ack in time; the client was told 503")
MISSED = Counter("tabiji_ingest_links_missed_total", "Opens and clicks that were answered but not written", ["kind"])
LINKS = Counter("tabiji_ingest_links_total", "Pixels, clicks and unsubscribes taken", ["kind", "by"])
BAD_LINKS = Counter("tabiji_ingest_links_invalid_total", "Links that were not signed by us", ["kind"])
FLIGHT = Gauge("tabiji_ingest_flight_bytes", "Bytes of requests that are not answered, or wait for Kafka's ack")
KEYS = Gauge("tabiji_ingest_write_keys", "Write keys that open a workspace")
