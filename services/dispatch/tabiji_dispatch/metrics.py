"""Dispatch's metrics, declared once."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from tabiji_dispatch.domain.announce import Ended
from tabiji_dispatch.domain.claim import Controls
from tabiji_dispatch.domain.ledger import UNFINISHED, Move, State
from tabiji_dispatch.domain.notes import Notes

ACCEPTED = Counter("tabiji_dispatch_deliveries_total", "Messages asked for and new")
REPEATED = Counter("tabiji_dispatch_repeated_sends_total", "Send commands whose message key was there already")
RESULTS = Counter("tabiji_dispatch_attempts_total", "Attempts by outcome class", ["provider", "result"])
ANNOUNCED = Counter("tabiji_dispatch_outcomes_total", "Outcomes announced", ["channel", "state", "reason"])
HELD = Counter("tabiji_dispatch_held_total", "Claims put off, by reason", ["reason"])
CANCELLED = Counter("tabiji_dispatch_cancelled_total", "Cancels by what they met", ["met"])
SENT_AFTER_EXIT = Counter("tabiji_dispatch_sent_after_exit_total", "Cancels that came after the intent")
RISKED = Counter("tabiji_dispatch_risked_resends_total", "Resends that a customer may get twice", ["provider"])
LOOKED_UP = Counter(
    "tabiji_dispatch_look_ups_total", "Look-ups of messages that may have arrived", ["provider", "found"]
)
REAPED = Counter("tabiji_dispatch_reaped_total", "Leases that ran out", ["provider"])
STOPPED = Gauge(
    "tabiji_dispatch_provider_stopped", "1 where bad credentials or a quota stopped a provider", ["provider"]
)
IN_FLIGHT = Gauge("tabiji_dispatch_in_flight_sends", "Sends whose outcome is not settled yet", ["provider"])
RESTORE = Gauge(
    "tabiji_dispatch_restore_mode", "1 while every send is held because the database was restored or cloned"
)
UNKNOWN = Gauge("tabiji_dispatch_unknown_messages", "Messages whose outcome nobody knows, for a person to settle")
QUEUED = Gauge("tabiji_dispatch_waiting_messages", "Messages not finished, by state", ["state"])
DETOURED = Counter("tabiji_dispatch_detoured_total", "Messages given to another provider because their own was out")
TOLD = Counter("tabiji_dispatch_told_total", "Messages settled by a person")
SEND_SECONDS = Histogram("tabiji_dispatch_send_seconds", "Time of one attempt at the provider", ["provider"])
EVENT_TO_SEND_SECONDS = Histogram(
    "tabiji_dispatch_event_to_send_seconds",
    "Time from the event or timer that asked for a message until its provider had taken it, holds included",
    ["class"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 43200),
)
SETTLE_ROWS = Histogram(
    "tabiji_dispatch_settle_rows", "Attempts settled in one transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
ERASED = Counter("tabiji_dispatch_erased_customers_total", "Customers forgotten")


def count(notes: Notes) -> None:
    """Count what a turn committed."""
    ACCEPTED.inc(notes.new)
    REPEATED.inc(notes.repeated)
    ERASED.inc(notes.erased)
    TOLD.inc(notes.told)
    DETOURED.inc(notes.detoured)
    if met := notes.cancelled:
        for name, n in (("withheld", len(met.withheld)), ("sent", len(met.after_intent)), ("unseen", met.unseen)):
            CANCELLED.labels(name).inc(n)
        SENT_AFTER_EXIT.inc(len(met.after_intent))
    for ended in notes.announced:
        _announced(ended)
    for put in notes.puts:
        if put.move is Move.HOLD:
            HELD.labels(put.reason.partition(":")[0]).inc()
    for provider in notes.reaped:
        REAPED.labels(provider).inc()
    if notes.waiting is not None:
        UNKNOWN.set(notes.waiting.get(State.UNKNOWN, 0))
        for state in sorted(UNFINISHED):
            QUEUED.labels(state.value).set(notes.waiting.get(state, 0))
    if notes.controls is not None:
        RESTORE.set(notes.controls.restore)


def _announced(ended: Ended) -> None:
    ANNOUNCED.labels(ended.delivery.channel, ended.state.value, ended.reason).inc()
    if ended.state is State.SENT:
        waited = ended.at - ended.delivery.decided_at
        EVENT_TO_SEND_SECONDS.labels(ended.delivery.message_class).observe(waited.total_seconds())


def show_stopped(carriers: Iterable[str], controls: Controls) -> None:
    """Show which providers a switch stops."""
    for name in carriers:
        STOPPED.labels(name).set(("provider", "", name) in controls.switches)
