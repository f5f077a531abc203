"""D4: results into the ledger in micro-batches, in transactions of their own, again and again until they are in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from tabiji_common.clock import Clock
from tabiji_common.failpoints import Failpoint
from tabiji_common.logs import logger
from tabiji_common.postgres import is_transient
from tabiji_dispatch import metrics
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.consent import Listing, address_field, address_hash
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.message import Intent
from tabiji_dispatch.domain.outcomes import Attempt, Unkeyed, Verdict, next_step
from tabiji_dispatch.domain.reap import Settlement
from tabiji_dispatch.ports import Truth

log = logger(__name__)

BEFORE_SETTLE = Failpoint("dispatch.settle.before", "the provider answered, the result is not written")
AFTER_SETTLE = Failpoint("dispatch.settle.after", "the result is committed, the outcome is not published")

_GATHER = 0.002
_MOST = 500


class Settler:
    """Gathers verdicts and settles them; ``secret`` is the key of the suppression hashes."""

    def __init__(self, truth: Truth, carriers: Mapping[str, Carrier], clock: Clock, secret: str) -> None:
        self._truth = truth
        self._carriers = carriers
        self._clock = clock
        self._secret = secret
        self._queue: asyncio.Queue[tuple[Intent, Verdict]] = asyncio.Queue()
        self._free: Callable[[list[tuple[str, int]]], None] = lambda _ids: None
        self._ended: Callable[[list[str]], None] = lambda _keys: None
        self._wake: Callable[[], None] = lambda: None

    def tell(
        self,
        free: Callable[[list[tuple[str, int]]], None],
        ended: Callable[[list[str]], None],
        wake: Callable[[], None],
    ) -> None:
        """Once results are in: ``free`` the attempts' slots, tell the keys that ``ended``, ``wake`` the loop."""
        self._free, self._ended, self._wake = free, ended, wake

    def add(self, intent: Intent, verdict: Verdict) -> None:
        """A result came in."""
        self._queue.put_nowait((intent, verdict))

    async def run(self) -> None:
        """Settle for ever."""
        while True:
            batch = [await self._queue.get()]
            await asyncio.sleep(_GATHER)
            while len(batch) < _MOST and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._settle([self._meaning(intent, verdict) for intent, verdict in batch])
            self._free([intent.id for intent, _ in batch])
            self._ended([intent.delivery.key for intent, _ in batch])
            self._wake()

    def _meaning(self, intent: Intent, verdict: Verdict) -> Settlement:
        delivery, wall = intent.delivery, self._clock.wall()
        carrier = self._carriers[delivery.provider]
        capability = carrier.capability(delivery.message_class)
        first = delivery.first_attempt_at or wall
        attempt = Attempt(
            delivery.key,
            intent.token,
            delivery.attempts,
            carrier.attempts,
            (wall - first).total_seconds(),
            delivery.in_doubt,
        )
        step = next_step(verdict, capability, attempt)
        if step.move is Move.RESEND and isinstance(capability, Unkeyed):
            metrics.RISKED.labels(carrier.name).inc()
        if step.stop:
            log.error("provider_stopped", provider=carrier.name, detail=verdict.detail)
        now = self._clock.now()
        listing = None
        if step.suppress and address_field(delivery.channel):
            hashed = address_hash(self._secret, delivery.workspace, delivery.channel, intent.letter.address)
            listing = Listing(delivery.workspace, delivery.channel, hashed, "all", "rejected", now)
        retry_at = wall + timedelta(seconds=step.delay)
        return Settlement(delivery.key, intent.token, carrier.name, verdict, step, retry_at, wall, now, listing)

    async def _settle(self, settlements: list[Settlement]) -> None:
        metrics.SETTLE_ROWS.observe(len(settlements))
        await BEFORE_SETTLE()
        pause = 0.05
        while True:
            try:
                changed = set(await self._truth.settle(settlements))
                missed = [one for one in settlements if one.key not in changed]
                if missed:  # another transaction moved it meanwhile: the table may have a row for where it stands now
                    changed |= set(await self._truth.settle(missed))
                break
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("settle_retried", error=type(error).__name__, rows=len(settlements))
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)
        await AFTER_SETTLE()
