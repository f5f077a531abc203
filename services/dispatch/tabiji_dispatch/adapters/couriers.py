"""D2 and D3: one task a send, bounded slots and a rate for each provider, so that a slow one never delays another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tabiji_common.clock import Clock
from tabiji_common.errors import where
from tabiji_common.failpoints import Failpoint
from tabiji_common.logs import logger
from tabiji_dispatch import metrics
from tabiji_dispatch.domain.carrier import Breaker, Bucket, Carrier
from tabiji_dispatch.domain.message import Intent
from tabiji_dispatch.domain.outcomes import Lookup, Result, Trace, Verdict
from tabiji_dispatch.ports import Provider, Searchable

log = logger(__name__)

BEFORE_SEND = Failpoint("dispatch.send.before", "the intent is committed, nothing has left")
AFTER_SEND = Failpoint("dispatch.send.after", "the provider took it, the result is not settled")


@dataclass
class _Lane:
    carrier: Carrier
    provider: Provider
    bucket: Bucket
    breaker: Breaker = field(default_factory=Breaker)
    busy: int = 0

    def room(self, elapsed: float) -> int:
        free = self.carrier.slots - self.busy
        return max(0, int(min(free, self.bucket.room(elapsed), self.breaker.room(elapsed) - self._probing())))

    def _probing(self) -> int:
        """While the breaker lets one probe through, that one is all."""
        return self.busy if self.breaker.failures else 0


class CourierPool:
    """The port ``Couriers``; ``wake`` is called when a rate leaves room again."""

    def __init__(
        self,
        lanes: Mapping[str, tuple[Carrier, Provider]],
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._lanes = {
            name: _Lane(carrier, provider, Bucket(carrier.rate)) for name, (carrier, provider) in lanes.items()
        }
        self._clock = clock
        self._wake = wake
        self._settle: Callable[[Intent, Verdict], None] = lambda _intent, _verdict: None
        self._open: dict[tuple[str, int], str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def deliver_to(self, settle: Callable[[Intent, Verdict], None]) -> None:
        """Who takes the verdicts."""
        self._settle = settle

    def rooms(self) -> dict[str, int]:
        elapsed = self._clock.elapsed()
        return {name: lane.room(elapsed) for name, lane in self._lanes.items()}

    def broken(self) -> dict[str, int]:
        elapsed = self._clock.elapsed()
        found = {name: lane.breaker.probes(elapsed) for name, lane in self._lanes.items()}
        return {name: probes for name, probes in found.items() if probes is not None}

    def in_flight(self) -> frozenset[tuple[str, int]]:
        return frozenset(self._open)

    def start(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            lane = self._lanes[intent.delivery.provider]
            lane.busy += 1
            self._open[intent.id] = lane.carrier.name
            metrics.IN_FLIGHT.labels(lane.carrier.name).inc()
            task = asyncio.create_task(self._carry(lane, intent))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._take_tokens(intents)

    def settled(self, ids: Sequence[tuple[str, int]]) -> None:
        """These attempts are in the ledger: their slots are free."""
        for one in ids:
            if name := self._open.pop(one, None):
                self._lanes[name].busy -= 1
                metrics.IN_FLIGHT.labels(name).dec()

    async def drain(self, seconds: float) -> None:
        """Wait for sends under way, then close the providers; what is cut off is reaped as unknown."""
        end = self._clock.elapsed() + seconds
        while self._open and self._clock.elapsed() < end:  # noqa: ASYNC110 - a deadline as well, at the very end
            await asyncio.sleep(0.02)
        for task in list(self._tasks):
            task.cancel()
        for lane in self._lanes.values():
            await lane.provider.close()

    def _take_tokens(self, intents: Sequence[Intent]) -> None:
        for name, lane in self._lanes.items():
            used = sum(intent.delivery.provider == name for intent in intents)
            if used and lane.carrier.rate:
                lane.bucket.take(used)
                asyncio.get_running_loop().call_later(1.0 / lane.carrier.rate + 0.001, self._wake)

    async def _carry(self, lane: _Lane, intent: Intent) -> None:
        await BEFORE_SEND()
        verdict = await self._looked_up(lane, intent) or await self._sent(lane, intent)
        lane.breaker.saw(verdict.result, self._clock.elapsed(), verdict.retry_after)
        metrics.RESULTS.labels(lane.carrier.name, verdict.result.value).inc()
        self._settle(intent, verdict)

    async def _looked_up(self, lane: _Lane, intent: Intent) -> Verdict | None:
        """What a look-up says of a message that may have arrived; ``None`` where it is to be sent."""
        delivery, provider = intent.delivery, lane.provider
        if not delivery.in_doubt or not isinstance(lane.carrier.capability(delivery.message_class), Lookup):
            return None
        seconds = self._seconds(lane, intent)
        if not isinstance(provider, Searchable) or seconds <= 0:
            return Verdict(Result.UNKNOWN, "no look-up")
        trace = await self._asked(lane, provider, delivery.key, seconds)
        metrics.LOOKED_UP.labels(lane.carrier.name, trace.value).inc()
        match trace:
            case Trace.FOUND:
                return Verdict(Result.ACCEPTED, "looked up")
            case Trace.ABSENT:
                return None
            case Trace.UNSEEN:
                return Verdict(Result.UNKNOWN, "look-up failed")

    async def _asked(self, lane: _Lane, provider: Searchable, key: str, seconds: float) -> Trace:
        try:
            return await provider.look_up(key, seconds)
        except Exception as error:  # noqa: BLE001 - an adapter's bug: without a verdict the attempt would be open for ever
            log.error("look_up_unclassified", provider=lane.carrier.name, error=where(error))  # noqa: TRY400
            return Trace.UNSEEN

    async def _sent(self, lane: _Lane, intent: Intent) -> Verdict:
        """D2 and D3."""
        seconds = self._seconds(lane, intent)
        if seconds <= 0:
            return Verdict(Result.UNSENT, "lease")
        begun = self._clock.elapsed()
        verdict = await self._attempt(lane, intent, seconds)
        metrics.SEND_SECONDS.labels(lane.carrier.name).observe(self._clock.elapsed() - begun)
        await AFTER_SEND()
        return verdict

    def _seconds(self, lane: _Lane, intent: Intent) -> float:
        """How long a call may take now: never beyond half the lease."""
        return min(lane.carrier.timeout, intent.since + intent.lease / 2 - self._clock.elapsed())

    async def _attempt(self, lane: _Lane, intent: Intent, seconds: float) -> Verdict:
        try:
            return await lane.provider.send(intent.letter, seconds)
        except Exception as error:  # noqa: BLE001 - an adapter's bug: what it did before is not known
            log.error("attempt_unclassified", provider=lane.carrier.name, error=where(error))  # noqa: TRY400
            return Verdict(Result.UNKNOWN, f"bug {type(error).__name__}")
