"""JSON logs on standard error: one line a refusal, none a success; messages are constants, ids are fields."""

from __future__ import annotations

import logging
import sys

import structlog

MINUTE = 60.0
MOST_SAID = 1000


def configure(service: str, level: str = "INFO") -> None:
    """Set up structlog for the process; every line carries the service's name."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it warns of every retry
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())


class Seldom(logging.Filter):
    """Lets a library say the same thing once a minute: some say every two seconds that a topic is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is news."""
        what = (record.name, record.getMessage())
        if record.created - self.said.get(what, -MINUTE) < MINUTE:
            return False
        if len(self.said) >= MOST_SAID:
            self.said.clear()
        self.said[what] = record.created
        return True


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; safe at import."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(module=name)  # noqa: TID251 - here alone
    return bound
