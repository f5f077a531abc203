"""One run from the order log to its verdict: begin, play with the picture on, collect, check, digest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from rich.console import Console

from tabiji_cli import cdnow
from tabiji_cli.demo import checks, inputs, rows
from tabiji_cli.demo.checks import Check
from tabiji_cli.demo.collect import collect
from tabiji_cli.demo.digest import digest
from tabiji_cli.demo.display import Display
from tabiji_cli.demo.evidence import Evidence
from tabiji_cli.demo.faults import Faults
from tabiji_cli.demo.runs import begin
from tabiji_cli.demo.scene import Scene, civil, shipped_states
from tabiji_cli.demo.simulation import Simulation
from tabiji_cli.demo.timemaster import RunFailed
from tabiji_cli.demo.world import World, world
from tabiji_cli.letters import Letters
from tabiji_cli.local import Say, Stack
from tabiji_cli.processes import Installation, Ports
from tabiji_cli.services import PROCESSES
from tabiji_cli.stack.home import project_root

SEED = "tabiji"
# Customers with a second order in the published log (Fader & Hardie), by size of the file.
KNOWN_F2 = {True: 11_516, False: 1_139}
LOOK_EVERY, COUNT_EVERY = 0.25, 2.0  # seconds
REACTIONS = ("open", "click", "unsubscribe", "scan")


@dataclass(frozen=True)
class Options:
    """What is replayed, and what is to go wrong meanwhile; 0 customers or days means all."""

    full: bool = False
    customers: int = 0
    days: int = 0
    seed: str = SEED
    slow_dispatch: bool = False
    kill_journey: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing of the log is left out."""
        return not self.customers and not self.days


class Stopped(RunFailed):
    """Asked to stop before the first tick."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to. ``installation`` still runs; ``reached`` tells how far where it was stopped early."""

    evidence: Evidence
    checks: Sequence[Check]
    digest: dict[str, Any]
    installation: Installation
    folder: Path
    seconds: float
    ticks: int
    letters: Letters
    reached: str | None

    @property
    def complete(self) -> bool:
        """Whether the run got to its end."""
        return self.reached is None

    @property
    def held(self) -> bool:
        """Whether every check holds, of what was played."""
        return all(check.ok for check in self.checks)

    @property
    def ok(self) -> bool:
        """Whether the run got to its end and every check holds."""
        return self.complete and self.held


@asynccontextmanager
async def played(
    stack: Stack, options: Options, console: Console, say: Say, *, ports: Ports, stop: asyncio.Event
) -> AsyncIterator[Outcome]:
    """What one replay of the log comes to; ``stop`` ends it after the present tick.

    The run's world is there while the block runs, to be looked at; its services stay up until ``end``.
    Raises ``RunFailed``, ``NotAccepted``, ``StackError`` or ``LiveRows``.
    """
    began = time.monotonic()
    plan = plan_of(options)
    say(f"{len(plan.inputs):,} events of {plan.customers:,} customers planned: {time.monotonic() - began:.1f} s")
    run = await begin(stack)
    faults = Faults(run.folder / "failpoints.log", options.slow_dispatch, options.kill_journey)
    async with world(stack, run, plan, faults, ports, options.seed, say) as playing:
        playing.simulation.stop = stop
        if stop.is_set():
            raise Stopped("stopped before the first tick")
        say(f"all ready after {time.monotonic() - began:.1f} s; {len(plan.inputs):,} events to come")
        begun = time.monotonic()
        async with _shown(playing, console, _title(options, plan), begun):
            complete = await playing.simulation.play()
        seconds, ticks = time.monotonic() - begun, playing.simulation.ticks
        known = {"f2": KNOWN_F2[options.full]} if options.whole and complete else {}
        evidence = await collect(run, playing.installation, playing.desk, playing.simulation.master.now, known)
        verdict = [*checks.run(evidence), *await faults.checks(playing.installation, stack.supervisor)]
        document = digest(evidence)
        (run.folder / "digest.json").write_bytes(msgspec.json.format(msgspec.json.encode(document)))
        yield Outcome(
            evidence,
            verdict,
            document,
            playing.installation,
            run.folder,
            seconds,
            ticks,
            playing.simulation.mailbox.letters,
            None if complete else reached_by(playing.simulation),
        )


def reached_by(simulation: Simulation) -> str:
    """How far a run came, in simulated time and of it."""
    start, now = simulation.plan.start, simulation.master.now
    share = max((now - start) / (simulation.end - start), 0.0)
    return f"{civil(now)}, {share:.0%} of the way"


def plan_of(options: Options) -> inputs.Plan:
    """The inputs that ``options`` ask for."""
    orders = cdnow.orders(cdnow.dataset(full=options.full))
    kept = inputs.slice_of(orders, customers=options.customers, days=options.days, seed=options.seed)
    return inputs.plan(kept, options.seed)


async def end(stack: Stack) -> None:
    """Stop the run's services; the stack stays."""
    for name in PROCESSES:
        await asyncio.to_thread(stack.supervisor.stop, name)


def _title(options: Options, plan: inputs.Plan) -> str:
    part = "" if options.whole else ", a slice"
    log = "CDNOW, the whole log" if options.full else "CDNOW, 1/10 sample"
    return f"{log}{part}: {plan.customers:,} customers, {plan.orders:,} orders"


@asynccontextmanager
async def _shown(playing: World, console: Console, title: str, begun: float) -> AsyncIterator[None]:
    """Keep the picture up to date while the block runs."""
    simulation = playing.simulation
    now, states = simulation.master.now, shipped_states(project_root() / "journeys")
    scene = Scene(title, simulation.plan.start, simulation.end, now, states=states)
    with Display(console) as display:
        task = asyncio.create_task(_look(playing, display, scene, begun))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            display.show(_scene(playing, await _counted(playing, scene), begun))


async def _look(playing: World, display: Display, scene: Scene, begun: float) -> None:
    counted = 0.0
    while True:
        if time.monotonic() - counted > COUNT_EVERY:
            scene = await _counted(playing, scene)
            counted = time.monotonic()
        scene = _scene(playing, scene, begun)
        display.show(scene)
        await asyncio.sleep(LOOK_EVERY)


def _scene(playing: World, scene: Scene, begun: float) -> Scene:
    """``scene`` with the figures that cost nothing."""
    simulation, elapsed = playing.simulation, time.monotonic() - begun
    step = elapsed - scene.elapsed
    rate = (simulation.shop.accepted - scene.events) / step if step > 0 else scene.rate
    down = sum(idle is None for idle in simulation.master.last)
    return replace(
        scene,
        now=simulation.master.now,
        elapsed=elapsed,
        ticks=simulation.ticks,
        events=simulation.shop.accepted,
        rate=0.8 * scene.rate + 0.2 * rate,
        lag=sum(idle.lag for idle in simulation.master.last if idle),
        mails=simulation.mailbox.taken,
        reactions={what: simulation.readers.counts.get(what, 0) for what in REACTIONS},
        note=f"{down} service(s) down" if down else "",
    )


async def _counted(playing: World, scene: Scene) -> Scene:
    """``scene`` with the people and messages that the services' rows show; unchanged where the database is away."""
    try:
        connection = await asyncpg.connect(playing.installation.dsn, timeout=2)
        try:
            people = await rows.journeys(connection, exact=False)
            return scene.counted(people, await rows.outcomes(connection))
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return scene
