"""``tabiji up``: the embedded stack and the services on the live clock, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tabiji_cli import keys
from tabiji_cli.already import require_unused
from tabiji_cli.http import client
from tabiji_cli.ledger import Ledger
from tabiji_cli.letters import Letters
from tabiji_cli.local import Say, Stack, stack, stop_on_signals, stop_services
from tabiji_cli.mailbox import Mailbox
from tabiji_cli.palette import BAD, FAINT, GOAL, WARN
from tabiji_cli.processes import Installation, Ports, make_topics, ready, start_services
from tabiji_cli.services import CONSOLE, PROCESSES, SERVICES, has_api
from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import default_home
from tabiji_common.clock import LiveClock

DATABASE = "tabiji"
SENDER = ("TABIJI_SHOP_ADDRESS", "TABIJI_SHOP_CONTACT")


def up(console: Console, *, json: bool) -> int:
    """Bring everything up and stay; the exit status. With ``json`` standard output has one object once all is ready."""
    aside = Console(stderr=True) if json else console

    def say(line: str) -> None:
        aside.print(Text("· ", style=FAINT) + Text(line, style=FAINT))

    try:
        ports = Ports.from_environment()
        require_unused(default_home())
        ports.require_free()
        with stack(say) as running:
            uvloop.run(_up(running, ports, console, say, json=json))
    except KeyboardInterrupt:
        say("stopped while starting, as asked")
    except StackError as error:
        aside.print(Text(f"✗ {error}", style=BAD))
        return 1
    return 0


async def _up(running: Stack, ports: Ports, console: Console, say: Say, *, json: bool) -> None:
    stop = stop_on_signals()
    made = keys.keys(running.home)
    dsn = await asyncio.to_thread(running.postgres.create_database, DATABASE)
    installation = Installation(dsn, running.kafka.bootstrap, made.secret, ports)
    begun = time.monotonic()
    topics = await make_topics(installation, say)
    say(f"{len(topics)} topics made: {time.monotonic() - begun:.1f} s")
    letters = Letters(running.home / "mails")
    sink = Mailbox(Ledger(running.home / "mail.jsonl"), LiveClock().now, "sink", letters)
    with sink.serve(ports.mail):
        start_services(running.supervisor, installation)
        async with client() as http:
            await ready(http, installation, running, say=say)
        await keys.register(dsn, made)
        shown = addresses(installation, made, running.home)
        keys.remember(running.home, keys.kept(installation))
        console.print_json(msgspec.json.encode(shown).decode()) if json else console.print(panel(shown))
        await stop.wait()
        say("draining and stopping everything that was started")
        await asyncio.to_thread(stop_services, running.supervisor, say)


def addresses(installation: Installation, made: keys.Keys, home: Path) -> dict[str, str]:
    """Where everything is, for programs and people. The keys are this machine's own."""
    return {
        **{name: installation.url(name) for name in PROCESSES if has_api(name)},
        **{f"{name}_admin": installation.admin(name) for name in PROCESSES},
        "write_key": made.live,
        "backfill_key": made.backfill,
        "operator_key": made.operator,
        "kafka": installation.bootstrap,
        "postgres": installation.dsn,
        "mail_sink": f"127.0.0.1:{installation.ports.mail}",
        "mails": str(home / "mails"),
        "keys": str(home / "keys.json"),
    }


def panel(shown: dict[str, str]) -> Panel:
    """The addresses, for people."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(CONSOLE, style=f"bold {GOAL}"), Text(shown[CONSOLE], style="bold"))
    for service in SERVICES:
        api = f"{shown[service]}/docs  " if has_api(service) else ""
        where = Text.assemble(api, (f"{shown[f'{service}_admin']}/readyz", FAINT))
        grid.add_row(Text(service, style="bold"), where)
    grid.add_row("write key", shown["write_key"])
    grid.add_row("operator key", shown["operator_key"])
    grid.add_row("", Text(f"kept in {shown['keys']}", style=FAINT))
    grid.add_row("mail sink", Text.assemble(shown["mail_sink"], ("  mails go nowhere else", FAINT)))
    grid.add_row("mails", shown["mails"])
    grid.add_row("", Text("each as .eml, and as .html for the browser", style=FAINT))
    if unsaid := [name for name in SENDER if not os.environ.get(name)]:
        grid.add_row("sender", Text(f"not said in mails, as the law asks of marketing: {', '.join(unsaid)}", WARN))
    return Panel(
        grid, title="[bold]旅路 Tabiji[/] is up · Ctrl-C stops everything", title_align="left", border_style=FAINT
    )
