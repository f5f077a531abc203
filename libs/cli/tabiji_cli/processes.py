"""The services as processes: which port, which environment, ready or not.

Who starts them decides where their data is (``Installation``); a supervisor keeps them running.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import httpx

from tabiji_cli.local import Say, Stack
from tabiji_cli.services import CONSOLE, PROCESSES, SERVICES, create_topics
from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import project_root
from tabiji_cli.stack.patience import Patience
from tabiji_cli.stack.ports import ADMIN, LOOPBACK, free_port, require_free
from tabiji_cli.stack.supervisor import Supervisor
from tabiji_common.errors import Retry
from tabiji_common.settings import Settings

DEATHS = 3  # of a service that is not ready yet: it will not become so


@dataclass(frozen=True)
class Ports:
    """Where everything listens on the loopback; ``TABIJI_<NAME>_PORT`` moves one. Admin ports are 1000 higher."""

    ingest: int = 8010
    journey: int = 8020
    dispatch: int = 8030
    analytics: int = 8040
    console: int = 8000
    mail: int = 11025

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Ports:
        """The defaults, moved by the environment. Raises ``StackError`` where a value is no number."""
        try:
            return cls(
                **{
                    port.name: int(environment[setting(port.name)])
                    for port in fields(cls)
                    if setting(port.name) in environment
                }
            )
        except ValueError as error:
            raise StackError(f"TABIJI_*_PORT must be a number: {error}") from error

    @classmethod
    def free(cls) -> Ports:
        """Ports that nobody listens on at this moment, for tests."""
        return cls(**{port.name: free_port() for port in fields(cls)})

    def of(self, service: str) -> int:
        """The HTTP port of a service."""
        return int(getattr(self, service))

    def require_free(self) -> None:
        """Raise ``PortTaken``, naming the setting, where somebody else listens on one of them."""
        for service in PROCESSES:
            require_free(self.of(service), setting(service))
            require_free(self.of(service) + ADMIN, f"{setting(service)} (this one is {ADMIN} above that)")
        require_free(self.mail, setting("mail"))


def setting(port: str) -> str:
    """The variable that moves a port."""
    return f"TABIJI_{port.upper()}_PORT"


@dataclass(frozen=True)
class Installation:
    """One Tabiji: where its log and database are, what its services are told."""

    dsn: str
    bootstrap: str
    secret: str
    ports: Ports = Ports()
    prefix: str = ""
    partitions: int = 12
    clock: str = "live"
    time_master: str = ""
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def environment(self, service: str) -> dict[str, str]:
        """What a service is started with; ``extra`` adds to one service or, under ``*``, to all."""
        return {
            "TABIJI_POSTGRES_DSN": self.dsn,
            "TABIJI_KAFKA_BOOTSTRAP": self.bootstrap,
            "TABIJI_TOPIC_PREFIX": self.prefix,
            "TABIJI_PARTITIONS": str(self.partitions),
            "TABIJI_CLOCK": self.clock,
            "TABIJI_TIME_MASTER": self.time_master,
            "TABIJI_WORKSPACE_SECRET": self.secret,
            "TABIJI_PUBLIC_URL": self.url("ingest"),
            "TABIJI_PORT": str(self.ports.of(service)),
            "TABIJI_SMTP_HOST": LOOPBACK,
            "TABIJI_SMTP_PORT": str(self.ports.mail),
            "TABIJI_JOURNEYS_FOLDER": str(project_root() / "journeys"),
            "TABIJI_TEMPLATES": str(project_root() / "journeys"),
            **(self._of_console() if service == CONSOLE else {}),
            **self.extra.get("*", {}),
            **self.extra.get(service, {}),
        }

    def _of_console(self) -> dict[str, str]:
        """Where it asks, and a key of its own: sessions outlive a restart, and it never learns the secret itself."""
        urls = {f"TABIJI_{name.upper()}_URL": self.url(name) for name in SERVICES}
        seal = hmac.new(self.secret.encode(), b"console", hashlib.sha256).hexdigest()
        return {**urls, "TABIJI_CONSOLE_SECRET": seal, "TABIJI_WORKSPACE_SECRET": ""}

    def url(self, service: str) -> str:
        """Where a service's API answers."""
        return f"http://{LOOPBACK}:{self.ports.of(service)}"

    def admin(self, service: str) -> str:
        """Where its health, metrics and clock answer."""
        return f"http://{LOOPBACK}:{self.ports.of(service) + ADMIN}"

    def settings(self) -> Settings:
        """What the runtime's own tools need of it."""
        return Settings(
            kafka_bootstrap=self.bootstrap,
            postgres_dsn=self.dsn,
            topic_prefix=self.prefix,
            partitions=self.partitions,
        )


async def make_topics(installation: Installation, say: Say = lambda _line: None) -> list[str]:
    """Create the topics that are missing; a broker that is still electing itself is asked again."""
    patience = Patience(say)
    while True:
        try:
            return await create_topics(installation.settings())
        except Retry:
            if not patience.lasts("the topics cannot be made yet"):
                raise
            await asyncio.sleep(0.2)


def start_services(supervisor: Supervisor, installation: Installation, names: Sequence[str] = PROCESSES) -> None:
    """Start the services, one process each, under ``supervisor``."""
    for name in names:
        supervisor.start(name, [sys.executable, "-m", f"tabiji_{name}"], installation.environment(name))


async def ready(
    client: httpx.AsyncClient,
    installation: Installation,
    stack: Stack,
    names: Sequence[str] = PROCESSES,
    say: Say = lambda _line: None,
) -> None:
    """Wait until every service says that it is ready; ``say`` hears of each, with the seconds it took.

    Raises ``StackError`` with what it wrote where one dies again and again, or lives and is not ready in five minutes.
    """
    patience = Patience(say)
    for name in names:
        while answer := await _is_ready(client, installation.admin(name)):
            deaths = stack.supervisor.restarts(name)
            lasts = patience.lasts(f"{name} is not ready yet ({answer})")
            if deaths >= DEATHS or not lasts:
                why = f"died {deaths} times" if deaths >= DEATHS else f"not ready in {patience.seconds:.0f} s, {answer}"
                raise StackError(f"{name}: {why}:\n{stack.supervisor.tail(name)}")
            await asyncio.sleep(0.05)
        has = "is" if name == CONSOLE else "has its schema and is"
        say(f"{name} {has} ready on {installation.ports.of(name)}: {patience.seconds:.1f} s")


async def _is_ready(client: httpx.AsyncClient, admin: str) -> str:
    """Empty, or why it is not."""
    try:
        answer = await client.get(f"{admin}/readyz")
    except httpx.TransportError as error:
        return f"no answer: {type(error).__name__}"
    return "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"
