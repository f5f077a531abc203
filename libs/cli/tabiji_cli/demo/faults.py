"""The troubles that a run may be given on purpose, and the proof that they happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from tabiji_cli.demo.checks import Check
from tabiji_cli.demo.simulation import Simulation
from tabiji_cli.processes import Installation
from tabiji_cli.stack.supervisor import Supervisor

SLOW_POINT, SLOW_SECONDS = "dispatch.send.before", 0.3
KILL_POINT = "runtime.turn.before_commit"
KILL_AFTER = 0.4  # of simulated time


@dataclass
class Faults:
    """What is wrong in this run; ``log`` is where processes note the failpoints they hit."""

    log: Path
    slow_dispatch: bool = False
    kill_journey: bool = False
    armed: bool = False

    def environment(self) -> Mapping[str, Mapping[str, str]]:
        """What the services are started with."""
        extra: dict[str, dict[str, str]] = {"*": {"TABIJI_FAILPOINT_LOG": str(self.log)}}
        if self.slow_dispatch:
            extra["dispatch"] = {"TABIJI_FAILPOINTS": f"{SLOW_POINT}=sleep:{SLOW_SECONDS}"}
        if self.kill_journey:
            extra["journey"] = {"TABIJI_TEST_HOOKS": "true"}
        return extra

    async def before_inputs(self, simulation: Simulation, client: httpx.AsyncClient, journey_admin: str) -> None:
        """Once, in the middle of the run: the turn that applies the next inputs is the journey service's last."""
        plan = simulation.plan
        share = (simulation.master.now - plan.start) / (plan.end - plan.start)
        if self.kill_journey and not self.armed and share >= KILL_AFTER:
            answer = await client.put(f"{journey_admin}/failpoints", content=f"{KILL_POINT}=kill@1")
            answer.raise_for_status()
            self.armed = True

    async def checks(self, installation: Installation, supervisor: Supervisor) -> list[Check]:
        """Whether what was asked for was seen."""
        hits = self.log.read_text("ascii").splitlines() if self.log.exists() else []
        found: list[Check] = []
        if self.slow_dispatch:
            slept = sum(line.startswith(f"{SLOW_POINT} sleep") for line in hits)
            detail = f"{slept:,} sends slept {SLOW_SECONDS * 1000:.0f} ms"
            found.append(Check("dispatch was slow", slept > 0, detail))
        if self.kill_journey:
            killed = sum(line.startswith(f"{KILL_POINT} kill") for line in hits)
            epoch = await _newest_epoch(installation.dsn)
            detail = (
                f"killed {killed} time(s), restarted {supervisor.restarts('journey')} time(s), newest epoch {epoch}"
            )
            seen = killed == 1 and supervisor.restarts("journey") == 1 and epoch > 1
            found.append(Check("the journey service was killed in mid-batch and taken over from", seen, detail))
        return found


async def _newest_epoch(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval("SELECT min(epoch) FROM journey.partition_owner WHERE grp = 'journey'") or 0
        )
    finally:
        await connection.close()
