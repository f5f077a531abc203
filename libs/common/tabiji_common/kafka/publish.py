"""Publishing the outbox: from memory, in order, one batch in flight, the next after all acks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tabiji_common.errors import Retry, TooLarge
from tabiji_common.failpoints import Failpoint
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.kafka.producer import Appender
from tabiji_common.logs import logger
from tabiji_common.metrics import OUTBOX_AGE, PUBLISHED, TOO_LARGE

log = logger(__name__)
BEFORE_PUBLISH = Failpoint("runtime.publish.before", "committed, not yet published")
BEFORE_MARK = Failpoint("runtime.publish.before_mark", "published and acked, not yet marked")
BATCH = 2000


class Publisher:
    """Publishes what the outbox hands over; ``blocked`` names customers whose rows wait (parked)."""

    def __init__(
        self,
        group: str,
        outbox: Outbox,
        producer: Appender,
        blocked: Callable[[], set[str]],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group = group
        self.outbox = outbox
        self.producer = producer
        self.blocked = blocked
        self.work = 0
        self._elapsed = elapsed
        self._since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
        OUTBOX_AGE.labels(group).set_function(self.age)

    def age(self) -> float:
        """Seconds of machine time since what is on its way was first handed over; 0 where nothing is."""
        since = self._since
        return 0.0 if since is None else self._elapsed() - since

    def check(self) -> None:
        """Raise what ended publishing, if anything but a missing ack did."""
        if self._broken is not None:
            raise self._broken

    @property
    def busy(self) -> bool:
        """Whether a batch is in flight."""
        return self._task is not None

    def kick(self) -> None:
        """Publish what is ready, unless a batch is in flight (which looks again when it ends)."""
        if self._task is None and self._broken is None:
            rows = self.outbox.hand_over(BATCH, self.blocked())
            if rows:
                self._since = self._elapsed() if self._since is None else self._since
                self._task = asyncio.create_task(self._publish(rows))

    async def drain(self, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until everything that may go has gone, or ``until`` says so."""
        self.kick()
        while self._task is not None and not until():
            await asyncio.wait({self._task}, timeout=0.5)

    async def _publish(self, rows: list[Row]) -> None:
        try:
            await BEFORE_PUBLISH()
            taken = await self._append(rows)
            await BEFORE_MARK()
            self.outbox.ack(taken)
            self._since = None
            self.work += 1
            PUBLISHED.labels(self.group).inc(len(taken))
        except Retry as error:
            log.warning("publish_failed", error=str(error))
            self.outbox.fail(rows)
            await asyncio.sleep(0.2)
        except Exception as error:  # noqa: BLE001 - ``check`` raises it in the loop
            self._broken = error
        finally:
            self._task = None
        self.kick()

    async def _append(self, rows: list[Row]) -> list[Row]:
        """The rows that Kafka has now; one by one where one is larger than it accepts."""
        try:
            await self.producer.append_encoded(rows)
        except TooLarge:
            return [row for row in rows if await self._fits(row)]
        return rows

    async def _fits(self, row: Row) -> bool:
        """Append one row. One that is too large stays handed over: it keeps its place in the table, and stops nobody.

        The next owner tries it once, in case the broker's limit has been raised.
        """
        try:
            await self.producer.append_encoded([row])
        except TooLarge:
            TOO_LARGE.labels(self.group).inc()
            log.error("record_too_large", topic=row.topic, id=row.id, bytes=len(row.value))  # noqa: TRY400
            return False
        return True
