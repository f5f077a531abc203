"""``make soak MINUTES=n SEED=s``: random faults, one each 30-90 s, at the whole system under mixed load; row 33."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console

from tabiji_cli.services import SERVICES
from tabiji_common.clock import LiveClock
from tests.faults import report, results
from tests.faults.ground import Ground, ground
from tests.faults.results import Run
from tests.faults.rows import register
from tests.faults.run import servers
from tests.faults.suite import Figures
from tests.faults.system import System, shopping
from tests.faults.test_crash_points import PAIRS

KINDS = (
    "kill a service",
    "stop a service",
    "kill at a failpoint",
    "kill the broker",
    "kill the database",
    "stop the broker",
)


@dataclass
class Soak:
    """One soak: its system, its dice, what it did."""

    place: Ground
    yard: System
    seed: int
    console: Console
    customers: int = 0
    done: list[str] = field(default_factory=list)

    def dice(self, what: str, sides: int) -> int:
        """0 … sides - 1, a pure function of the seed, the number of the fault and what it is for."""
        return zlib.crc32(f"{self.seed}:{len(self.done)}:{what}".encode()) % sides

    async def shop(self, ending: asyncio.Event) -> None:
        """Visits of new customers and of some who were here before, several at a time, until told to end."""
        while not ending.is_set():
            await asyncio.gather(*(self.yard.post(self.visit(), patience=180) for _ in range(4)))
            await asyncio.sleep(0.05)

    def visit(self) -> list[dict[str, Any]]:
        """The next customer's visit; every fourth also looks at pages, every seventh posts the whole visit twice."""
        self.customers += 1
        now = self.yard.master.now.isoformat()
        name = f"soak-{self.customers}"
        events = [{**event, "timestamp": now} for event in shopping(name)]
        if self.customers % 4 == 0:
            page = {"type": "page", "userId": name, "timestamp": now, "properties": {"path": "/p1"}}
            events += [{**page, "messageId": f"{name}/page-{n}"} for n in range(3)]
        return events * 2 if self.customers % 7 == 0 else events

    async def fault(self) -> str:
        """One fault, over when this returns; what it was."""
        kind = KINDS[self.dice("kind", len(KINDS))]
        service = SERVICES[self.dice("service", len(SERVICES))]
        seconds = 1 + self.dice("seconds", 9)
        match kind:
            case "kill a service":
                self.yard.supervisor.kill(service)
                return f"{service} killed"
            case "stop a service":
                self.yard.supervisor.signal(service, signal.SIGSTOP)
                await asyncio.sleep(seconds)
                self.yard.supervisor.signal(service, signal.SIGCONT)
                return f"{service} stopped for {seconds} s"
            case "kill at a failpoint":
                return await self._at_a_failpoint()
            case "stop the broker":
                os.kill(self.place.kafka.pid, signal.SIGSTOP)
                await asyncio.sleep(seconds)
                os.kill(self.place.kafka.pid, signal.SIGCONT)
                return f"broker stopped for {seconds} s"
        server = self.place.kafka if kind == "kill the broker" else self.place.postgres
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(seconds / 3)
        await asyncio.to_thread(server.start)
        return f"{kind}, {seconds / 3:.1f} s down"

    async def _at_a_failpoint(self) -> str:
        service, point = PAIRS[self.dice("point", len(PAIRS))]
        before = self.yard.supervisor.restarts(service)
        await self.yard.arm(service, point)
        died = await self.yard.died(service, before, 15)
        if not died:
            await self.yard.disarm(service)
        return f"{service} killed at {point}" if died else f"{service} was not at {point} in 15 s"

    async def phase(self) -> None:
        """Load, a fault in the middle of it, rest, every checker; then perhaps on to the next tick."""
        length = 30 + self.dice("length", 61)
        begun = time.monotonic()
        ending = asyncio.Event()
        shopping_on = asyncio.create_task(self.shop(ending))
        try:
            await asyncio.sleep(3 + self.dice("lead", 8))
            told = await self.fault()
            await asyncio.sleep(max(3.0, min(15.0, length - (time.monotonic() - begun))))
        finally:
            ending.set()
            await shopping_on
        await self.yard.settle()
        await self.yard.check()
        if self.dice("tick", 2):
            await self.yard.next_tick()
            await self.yard.check()
        self.done.append(told)
        took = time.monotonic() - begun
        self.console.print(
            f"{len(self.done):>3} {told}; {len(self.yard.told):,} events, all checkers clean ({took:.0f} s)"
        )


async def soak(place: Ground, minutes: float, seed: int, console: Console) -> Run:
    """Phases until the time is over; the first complaint of a checker ends it."""
    begun, failure = time.monotonic(), ""
    async with place.system(dispatch={"TABIJI_LEASE": "3"}) as yard:
        one = Soak(place, yard, seed, console)
        try:
            while time.monotonic() < begun + 60 * minutes:
                await one.phase()
            for _ in range(3):
                await yard.next_tick()
            await yard.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the soak's finding
            where = f" of {error.request.url}" if isinstance(error, httpx.RequestError) else ""
            failure = f"in fault {len(one.done) + 1}: {type(error).__name__}{where}: {error}"
        unknown = await yard.rows("SELECT count(*) AS n FROM dispatch.delivery WHERE state = 'unknown'")
        figures = Figures(len(one.done), len(yard.told), unknown=unknown[0]["n"])
        figures.other = {"minutes": (time.monotonic() - begun) / 60, "mails": len(yard.mails.taken)}
    return Run(seed, report.code(), round(time.monotonic() - begun, 1), figures, failure)


def main() -> int:
    """Soak, keep the run as row 33, write the document."""
    register()
    console = Console(highlight=False)
    minutes, seed = float(os.environ.get("MINUTES") or 60), int(os.environ.get("SEED") or 1)
    with ground() as place:
        run = asyncio.run(soak(place, minutes, seed, console))
        kept = results.read(33)
        kept.runs = [one for one in kept.runs if one.seed != seed] + [run]
        kept.date = LiveClock().now().date().isoformat()
        results.keep(kept)
        report.DOCUMENT.write_text(report.document(asyncio.run(servers(place))), "utf-8")
    console.print(run.failure or "all checkers clean", style="red" if run.failure else "green")
    return int(bool(run.failure))


if __name__ == "__main__":
    sys.exit(main())
