"""A process of Tabiji: ``Service("vip").consume(PURCHASES, announce_vip).run()``.

``run`` brings the consumer group, decoding, offsets, bounded retry, dead letters, ``/livez /readyz /metrics``, JSON
logs and a clean stop. A service that keeps state gives ``run`` a function that builds it (``stateful``).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, overload

import asyncpg
import uvicorn
import uvloop
from fastapi import FastAPI

from tabiji_common import admin, examples, failpoints, garbage, guard, listening, logs, operators, viewer
from tabiji_common.clock import Clock, LiveClock, SteppedClock
from tabiji_common.commands import SendCommand
from tabiji_common.counted import Counted
from tabiji_common.errors import Misconfigured
from tabiji_common.events import CustomerEvent, EngagementEvent, PageViewEvent, PurchaseEvent
from tabiji_common.hourly import hourly
from tabiji_common.http import BoundedProtocol
from tabiji_common.kafka import dead_letters
from tabiji_common.kafka import inbox as inbox_upkeep
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.log import KafkaBoard, KafkaMembership, KafkaProbes, KafkaReader
from tabiji_common.kafka.loop import Loop
from tabiji_common.kafka.ports import Parts
from tabiji_common.kafka.producer import Producer
from tabiji_common.kafka.stateless import StatelessLoop
from tabiji_common.kafka.turn import Stateful
from tabiji_common.kafka.wiring import Takes
from tabiji_common.postgres import connect_pool, migrate
from tabiji_common.settings import Settings
from tabiji_common.topics import Record, Topic

log = logs.logger(__name__)

E = TypeVar("E")
# A topic of several types takes handlers of any of them: one variable, and one overload of ``consume``, for each
# family.
Purchase = TypeVar("Purchase", bound=PurchaseEvent)
PageView = TypeVar("PageView", bound=PageViewEvent)
Engagement = TypeVar("Engagement", bound=EngagementEvent)
Customer = TypeVar("Customer", bound=CustomerEvent)
Send = TypeVar("Send", bound=SendCommand)
H = TypeVar("H")
Handles = Callable[[H], Awaitable[list[Record[Any]]]]
Build = Callable[["Service"], Awaitable[None]]


class Service:
    """One process; ``clock``, ``pool`` and ``producer`` are there once ``run`` builds."""

    pool: asyncpg.Pool[Any]
    producer: Producer

    def __init__(self, name: str, settings: Settings | None = None) -> None:
        self.name = name
        self.settings = settings or Settings()
        self.clock: Clock = SteppedClock() if self.settings.clock == "simulated" else LiveClock()
        self.loop: Loop | None = None
        self.ready = False
        self._scripts: Path | None = None
        self._consumes: list[tuple[Topic[Any], Any]] = []
        self._inputs: list[str] = []
        self._stateful: tuple[Stateful, frozenset[str]] | None = None
        self._app: FastAPI | None = None
        self._needs: guard.Needs = guard.needs
        self._background: list[Callable[[], Awaitable[None]]] = []
        self._servers: list[uvicorn.Server] = []
        self._stopping = asyncio.Event()
        self._detached = False
        self._keys = guard.Keys(self._connect_keys, self.clock)

    async def _connect_keys(self) -> asyncpg.Pool[Any]:
        """Of their own: a service that is busy with its database lets its operators in all the same."""
        return await connect_pool(self.settings.postgres_dsn, "installation", size=1, least=0)

    def migrations(self, folder: Path) -> Self:
        """Bring the service's schema up to date with the alembic scripts in ``folder`` before anything starts."""
        self._scripts = folder
        return self

    def detached(self) -> Self:
        """Only HTTP: neither the log nor the database is opened, and ``producer`` and ``pool`` are never there."""
        self._detached = True
        return self

    @overload
    def consume(self, topic: Topic[PurchaseEvent], handler: Handles[Purchase]) -> Self: ...
    @overload
    def consume(self, topic: Topic[PageViewEvent], handler: Handles[PageView]) -> Self: ...
    @overload
    def consume(self, topic: Topic[EngagementEvent], handler: Handles[Engagement]) -> Self: ...
    @overload
    def consume(self, topic: Topic[CustomerEvent], handler: Handles[Customer]) -> Self: ...
    @overload
    def consume(self, topic: Topic[SendCommand], handler: Handles[Send]) -> Self: ...
    @overload
    def consume(self, topic: Topic[E], handler: Handles[E]) -> Self: ...
    def consume(self, topic: Topic[Any], handler: Handles[Any]) -> Self:
        """Give the events of ``topic`` that ``handler``'s annotation names to it; what it returns goes to Kafka.

        No state is kept. A handler of a type that the topic does not hold is a type error, and a ``TypeError`` here.
        """
        Takes(topic, handler)
        self._consumes.append((topic, handler))
        return self

    def stateful(
        self, pipeline: Stateful, inputs: Sequence[Topic[Any]], *, inbox: bool | Sequence[Topic[Any]] = False
    ) -> None:
        """Run ``pipeline`` on the turns of ``inputs``; ``inbox`` drops records (of these topics) applied before."""
        once = (inputs if inbox else ()) if isinstance(inbox, bool) else inbox
        self._stateful = (pipeline, frozenset(topic.name for topic in once))
        membership, board = KafkaMembership(self.cluster, self.name), KafkaBoard(self.cluster, self.name)
        reader, probes = KafkaReader(self.cluster), KafkaProbes(self.cluster)
        parts = Parts(self.pool, self.clock, membership, reader, probes, self.producer, board)
        self._inputs = [topic.name for topic in inputs]
        self.loop = Loop(
            self.name,
            parts,
            self._inputs,
            partitions=self.settings.partitions,
            poll_records=self.settings.poll_records,
            release_rate=self.settings.release_rate,
        )
        guard = self.loop.timers.guard
        if not self.clock.simulated:
            sweep = partial(dead_letters.keep_up, self.pool, self._stateful[1])
            self.background(partial(hourly, "dead_letters_sweep", guard, sweep))
            if inbox:
                upkeep = partial(inbox_upkeep.keep_up, self.pool, self.name)
                self.background(partial(hourly, "inbox_upkeep", guard, upkeep))

    def http(self, app: FastAPI, needs: guard.Needs = guard.needs) -> None:
        """Serve ``app`` on the service's port, to those whose operator key has the scope that ``needs`` says."""
        guard.describe(app, needs)
        examples.describe(app, self.name)
        if app.openapi_url:
            viewer.install(app)
        if self.name != "ingest":  # it has figures of its own, and no time to spare
            app.add_middleware(Counted, group=self.name)
        self._app, self._needs = app, needs

    def background(self, run: Callable[[], Awaitable[None]]) -> None:
        """A task for the life of the process; if it ends, the process ends."""
        self._background.append(run)

    def wake(self) -> None:
        """Make the stateful loop take a turn now."""
        if self.loop is not None:
            self.loop.wake()

    @property
    def cluster(self) -> Cluster:
        """Where Kafka is."""
        return Cluster.of(self.settings)

    def run(self, build: Build | None = None) -> None:
        """Block until SIGTERM or SIGINT; ends cleanly, or raises what stopped it; a taken port is told in one line."""
        logs.configure(self.name, self.settings.log_level)
        failpoints.arm()
        self._refuse_public_address()
        if self._scripts is not None:
            migrate(self.settings.postgres_dsn, self.name, self._scripts)
        try:
            uvloop.run(self._run(build))
        except listening.PortTaken as error:
            sys.exit(f"{self.name}: {error}")

    def _refuse_public_address(self) -> None:
        """A process with test hooks can be killed by whoever reaches it."""
        host = self.settings.host
        if self.settings.test_hooks and not (host == "localhost" or ipaddress.ip_address(host).is_loopback):
            raise Misconfigured(f"TABIJI_HOST={host}: with TABIJI_TEST_HOOKS a process binds loopback only")

    async def _run(self, build: Build | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        if isinstance(self.clock, SteppedClock):
            await admin.ask_time_master(self.clock, self.settings.time_master)
        if self._detached:
            if build is not None:
                await build(self)
            await self._serve()
            return
        self.producer = Producer(self.cluster)
        await self.producer.start()
        needs_pool = build is not None or self._scripts is not None
        if needs_pool:
            self.pool = await connect_pool(self.settings.postgres_dsn, self.name)
        try:
            if needs_pool:
                await operators.prepare(self.pool)
            if build is not None:
                await build(self)
            await self._serve()
        finally:
            await self.producer.stop()
            await self._keys.close()
            if needs_pool:
                await asyncio.wait_for(self.pool.close(), 5)

    async def _serve(self) -> None:
        servers = self._http_servers()
        loops: list[StatelessLoop | Loop] = [
            StatelessLoop(self.name, self.cluster, *pair, self.producer) for pair in self._consumes
        ]
        looping = [asyncio.ensure_future(loop.run()) for loop in loops if isinstance(loop, StatelessLoop)]
        if self.loop is not None and self._stateful is not None:
            pipeline, inbox = self._stateful
            loops.append(self.loop)
            looping.append(asyncio.ensure_future(self.loop.run(pipeline, inbox=inbox)))
        background = [asyncio.ensure_future(run()) for run in self._background]
        serving = [asyncio.ensure_future(server.serve()) for server in servers]
        self.ready = True
        announcing = asyncio.ensure_future(self._say_where(servers))
        garbage.settle()
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({*looping, *background, *serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        self.ready = False
        ended = [task for task in (*looping, *background) if task.done()]
        for loop in loops:
            loop.stop()
        if looping:
            await asyncio.wait(looping, timeout=10)
        for server in servers:
            server.should_exit = True
        await asyncio.wait(serving, timeout=5)
        await _end([*looping, *background, *serving, announcing, stop])
        for task in ended:
            task.result()  # what stopped the process is raised

    async def _say_where(self, servers: list[uvicorn.Server]) -> None:
        """One line once everything listens: what is read, and where. Ports may be any free ones."""
        while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.05)
        admin, *api = [_url(server) for server in servers]
        reads = [*(topic.name for topic, _ in self._consumes), *self._inputs]
        log.info("service_started", reads=reads, admin=admin, api=api[0] if api else None)

    def _http_servers(self) -> list[uvicorn.Server]:
        secret = self.settings.workspace_secret
        inside = guard.Guard(admin.admin_app(self), self._keys, self.name, needs=admin.needs, unwritten=admin.UNWRITTEN)
        listening.require_free(self.settings, api=self._app is not None)
        apps = [(inside, self.settings.effective_admin_port)]
        if self._app is not None:
            outside = guard.Guard(self._app, self._keys, self.name, needs=self._needs, secret=secret)
            apps.append((outside, self.settings.port))
        return [
            _Server(
                uvicorn.Config(
                    app,
                    host=self.settings.host,
                    port=port,
                    loop="none",
                    http=BoundedProtocol,
                    log_level="warning",
                    access_log=False,
                    timeout_graceful_shutdown=3,
                )
            )
            for app, port in apps
        ]


def _url(server: uvicorn.Server) -> str:
    """Where it listens."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)


class _Server(uvicorn.Server):
    """A server that leaves signals to the service."""

    def install_signal_handlers(self) -> None:
        """Nothing: the service has them."""

    def capture_signals(self) -> Any:
        """Nothing: the service has them."""
        return contextlib.nullcontext()
