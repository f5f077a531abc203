"""Everything a run needs, up and connected: topics, services on stepped time, mailbox, ledgers, write key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace

import httpx

from tabiji_cli import keys
from tabiji_cli.demo.faults import Faults
from tabiji_cli.demo.inputs import Plan
from tabiji_cli.demo.readers import Readers
from tabiji_cli.demo.runs import Run, create_database
from tabiji_cli.demo.shop import Shop
from tabiji_cli.demo.simulation import Simulation
from tabiji_cli.demo.timemaster import Member, TimeMaster, tick_before
from tabiji_cli.http import client
from tabiji_cli.ledger import Accepted, Ledger, Mail, Reaction
from tabiji_cli.letters import Letters
from tabiji_cli.line import LineServer
from tabiji_cli.local import Say, Stack
from tabiji_cli.mailbox import Mailbox
from tabiji_cli.processes import Installation, Ports, make_topics, ready, start_services
from tabiji_cli.services import CONSOLE, SERVICES
from tabiji_cli.stack.ports import free_port

LETTERS = 3  # mails of each subject that are kept whole
Environments = Mapping[str, Mapping[str, str]]  # of services, by name
PARTITIONS = 4  # twelve cost half as much again a tick


@dataclass(frozen=True)
class World:
    """A run that can be played."""

    run: Run
    installation: Installation
    faults: Faults
    desk: httpx.AsyncClient
    simulation: Simulation


@asynccontextmanager
async def world(
    stack: Stack, run: Run, plan: Plan, faults: Faults, ports: Ports, seed: str, say: Say
) -> AsyncIterator[World]:
    """The run's own world while the block runs. Time stands at the last tick before the first input.

    The services stay up afterwards, until the stack's supervisor stops them. Raises ``StackError``.
    """
    async with AsyncExitStack() as exits:
        operator = keys.keys(stack.home).operator
        http = await exits.enter_async_context(client())
        desk = await exits.enter_async_context(client(headers=keys.bearer(operator)))
        master = TimeMaster(desk, tick_before(plan.start))
        time_url = await exits.enter_async_context(master.serve(free_port()))
        accepted = exits.enter_context(closing(Ledger[Accepted](run.accepted)))
        mails = exits.enter_context(closing(Ledger[Mail](run.mails)))
        reactions = exits.enter_context(closing(Ledger[Reaction](run.reactions)))
        mailbox = Mailbox(mails, lambda: master.now, seed, Letters(run.letters, LETTERS))
        exits.enter_context(mailbox.serve(ports.mail))
        line = LineServer(lambda: master.now, took=mailbox.push)
        line_url = await exits.enter_async_context(line.serve(free_port()))
        extra = {name: dict(values) for name, values in faults.environment().items()}
        extra.setdefault("dispatch", {}).update(TABIJI_LINE_URL=line_url, TABIJI_LINE_TOKEN=line.token)
        installation = await _installation(stack, run, extra, ports, time_url, say)
        start_services(stack.supervisor, installation)
        await ready(http, installation, stack, say=say)
        made = replace(keys.keys(run.folder), operator=operator)
        await keys.register(installation.dsn, made)
        keys.remember(stack.home, keys.kept(installation))
        say(f"watch it: {installation.url(CONSOLE)} (log in with the operator key {made.operator})")
        master.watch([Member(name, installation.admin(name)) for name in SERVICES])
        shop = Shop(http, installation.url("ingest"), made.live, accepted)
        simulation = Simulation(plan, master, shop, mailbox, Readers(http, reactions))

        async def before_inputs(playing: Simulation) -> None:
            await faults.before_inputs(playing, http, installation.admin("journey"))

        simulation.before_inputs = before_inputs
        yield World(run, installation, faults, desk, simulation)


async def _installation(
    stack: Stack, run: Run, extra: Environments, ports: Ports, time_url: str, say: Say
) -> Installation:
    dsn = await create_database(stack, run)
    made = keys.keys(run.folder)
    installation = Installation(
        dsn=dsn,
        bootstrap=stack.kafka.bootstrap,
        secret=made.secret,
        ports=ports,
        prefix=run.prefix,
        partitions=PARTITIONS,
        clock="simulated",
        time_master=time_url,
        extra=extra,
    )
    begun = time.monotonic()
    topics = await make_topics(installation)
    say(f"database {run.database} and {len(topics)} topics made: {time.monotonic() - begun:.1f} s")
    return installation
