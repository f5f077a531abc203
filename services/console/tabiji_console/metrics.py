"""What the console counts, declared once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

PAGES = Counter("tabiji_console_pages_total", "Pages and parts of pages that were drawn", ["page"])
AWAY = Counter("tabiji_console_service_away_total", "Questions that a service did not answer", ["service"])
LOGINS = Counter("tabiji_console_logins_total", "Attempts to log in", ["outcome"])
FORGED = Counter("tabiji_console_forged_forms_total", "Forms that did not come from a page of the console")
POLLS = Counter("tabiji_console_live_polls_total", "Times that new counts were asked for, for all open pages of a kind")
STREAMS = Gauge("tabiji_console_live_streams", "Pages that are being told new counts")
