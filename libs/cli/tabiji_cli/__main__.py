"""The ``tabiji`` command: what can be asked of it. Each command's story is in a file of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from tabiji_cli.dlq.command import app as dlq_app
from tabiji_common.errors import TabijiError

if TYPE_CHECKING:
    from tabiji_cli.imports import Source

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Customer journeys for shops."
)
imports_app = typer.Typer(no_args_is_help=True, help="Bring in history.")
app.add_typer(imports_app, name="import")
keys_app = typer.Typer(no_args_is_help=True, help="Keys of operators, and write keys of shops.")
app.add_typer(keys_app, name="keys")
unknown_app = typer.Typer(no_args_is_help=True, help="Messages whose outcome nobody knows.")
app.add_typer(unknown_app, name="unknown")
app.add_typer(dlq_app, name="dlq")


def _flag(name: str) -> bool:
    return os.environ.get(name, "") not in {"", "0", "false", "no"}


@app.command()
def demo(
    full: Annotated[bool, typer.Option(help="The whole log instead of the 1/10 sample (or FULL=1).")] = False,
    once: Annotated[bool, typer.Option(help="End with the checks' status instead of staying up (or ONCE=1).")] = False,
    customers: Annotated[int, typer.Option(min=0, help="Only so many customers, chosen by hash; 0 is all.")] = 0,
    days: Annotated[int, typer.Option(min=0, help="Only the log's first days; 0 is all.")] = 0,
    seed: Annotated[str, typer.Option(help="What simulated choices hang on.")] = "tabiji",
    slow_dispatch: Annotated[bool, typer.Option(help="Every send sleeps 300 ms.")] = False,
    kill_journey: Annotated[bool, typer.Option(help="SIGKILL the journey service in mid-batch.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the report (.svg .html .txt) or the digest (.json).")
    ] = None,
) -> None:
    """Replay the CDNOW purchase log through all four services in simulated time, and check every promise."""
    from tabiji_cli.demo.command import demo as run  # noqa: PLC0415 - other commands start faster without it
    from tabiji_cli.demo.play import Options  # noqa: PLC0415

    options = Options(full or _flag("FULL"), customers, days, seed, slow_dispatch, kill_journey)
    raise typer.Exit(run(options, Console(), once=once or _flag("ONCE"), save=report))


@app.command("demo-proof")
def demo_proof(
    customers: Annotated[int, typer.Option(min=0, help="Only so many customers; 0 is all.")] = 0,
    days: Annotated[int, typer.Option(min=0, help="Only the log's first days; 0 is all.")] = 0,
) -> None:
    """The demo three times: plain, slowed down, and with a kill; tables, funnels and counts must agree."""
    from tabiji_cli.demo.play import Options  # noqa: PLC0415 - other commands start faster without it
    from tabiji_cli.demo.proof import proof  # noqa: PLC0415

    raise typer.Exit(proof(Options(customers=customers, days=days), Console()))


@app.command()
def up(json: Annotated[bool, typer.Option("--json", help="Addresses and keys as one JSON object.")] = False) -> None:
    """Bring up the embedded stack and all services on the live clock, until Ctrl-C."""
    from tabiji_cli.up import up as run  # noqa: PLC0415 - other commands start faster without it

    raise typer.Exit(run(Console(), json=json))


@app.command()
def migrate() -> None:
    """Make every topic and every service's tables (TABIJI_KAFKA_BOOTSTRAP, TABIJI_POSTGRES_DSN, …); harmless twice."""
    from tabiji_cli import migrate as job  # noqa: PLC0415 - imports every service
    from tabiji_common.settings import Settings  # noqa: PLC0415 - other commands start faster without it

    job.run(Settings(), typer.echo)


@imports_app.command("orders")
def import_orders(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    url: Annotated[str, typer.Option(envvar="TABIJI_INGEST_URL", help="Where ingest answers, if not here.")] = "",
    key: Annotated[
        str, typer.Option(envvar="TABIJI_WRITE_KEY", help="A key of scope backfill; else the one of `tabiji up`.")
    ] = "",
    currency: Annotated[str, typer.Option(help="For lines without a currency.")] = "JPY",
    from_line: Annotated[int, typer.Option(min=0, help="Pass over the lines before this one.")] = 0,
) -> None:
    """Import orders as history.

    Columns: order_id, customer_id, ordered_at, amount (minor units), and if there currency and medium.
    """
    from tabiji_cli import imports, keys  # noqa: PLC0415 - other commands start faster without it
    from tabiji_cli.csvorders import BadLine  # noqa: PLC0415
    from tabiji_common.clock import LiveClock  # noqa: PLC0415

    known = keys.known()
    write_key = key or (known.backfill if known else "")
    if not write_key:
        _fail("no write key: give --key or TABIJI_WRITE_KEY, or start `tabiji up` on this machine first")
    try:
        source = imports.Source(file, currency, from_line, LiveClock().now() + timedelta(days=1))
        count = asyncio.run(_imported(source, url or keys.address("ingest"), write_key))
    except (imports.ImportFailed, BadLine) as error:
        _fail(str(error))
    typer.echo(f"{count:,} orders accepted")


@app.command()
def view(
    name: Annotated[str, typer.Argument(help="ltv_by_cohort, retention_monthly, repeat_purchase, …")],
    tz: Annotated[str, typer.Option(help="Zone of calendar months, such as UTC; else the workspace's.")] = "",
    csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
    currency: Annotated[str, typer.Option(help="Only this currency.")] = "",
    url: Annotated[str, typer.Option(envvar="TABIJI_ANALYTICS_URL", help="Where analytics answers, if not here.")] = "",
) -> None:
    """Show an analytics view: the same rows as GET /v1/views/NAME."""
    from tabiji_cli import keys  # noqa: PLC0415 - other commands start faster without it
    from tabiji_cli import view as views  # noqa: PLC0415

    parameters = {key: value for key, value in (("tz", tz), ("currency", currency)) if value}
    try:
        where = url or keys.address("analytics")
        content = views.fetch(where, name, parameters, key=keys.operator(), csv=csv)
    except views.ViewFailed as error:
        _fail(str(error))
    if csv:
        sys.stdout.buffer.write(content)
    else:
        Console().print(views.table(name, content))


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="The findings as one JSON object.")] = False) -> None:
    """Look at an installation and say what to do; ends with 1 where anything is bad."""
    from tabiji_cli.doctor.command import doctor as run  # noqa: PLC0415 - other commands start faster without it

    raise typer.Exit(run(Console(), json=json))


@unknown_app.command("list")
def unknown_list(limit: Annotated[int, typer.Option(min=1, max=1000)] = 100) -> None:
    """Messages whose outcome nobody knows."""
    from tabiji_cli import unknown  # noqa: PLC0415 - other commands start faster without it

    Console().print(unknown.listed(limit))


@unknown_app.command("settle")
def unknown_settle(
    key: Annotated[str, typer.Argument(help="The message's key.")],
    outcome: Annotated[str, typer.Argument(help="sent, failed, or resend: it may then arrive twice.")],
) -> None:
    """Say what became of a message."""
    from tabiji_cli import unknown  # noqa: PLC0415 - other commands start faster without it

    typer.echo(f"{key} is told to dispatch as {outcome}: {unknown.settle(key, outcome)}")


@keys_app.command("list")
def keys_list() -> None:
    """Every key there ever was, without the keys themselves."""
    from tabiji_cli import keyring  # noqa: PLC0415 - other commands start faster without it

    Console().print(keyring.shown())


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="Whose key it is: hanako, web-shop, …")],
    scope: Annotated[
        str, typer.Option(help="Of an operator: read, operate (changes) or admin (keys); of a shop: live or backfill.")
    ],
    workspace: Annotated[str, typer.Option(help="Which shop a write key is for.")] = "demo",
) -> None:
    """Make a key and show it, this once."""
    from tabiji_cli import keyring  # noqa: PLC0415 - other commands start faster without it

    typer.echo(keyring.create(name, scope, workspace))


@keys_app.command("rotate")
def keys_rotate(
    which: Annotated[str, typer.Argument(metavar="ID", help="A write key's id, as `tabiji keys list` shows it.")],
    grace_hours: Annotated[float, typer.Option(min=0, max=90 * 24, help="How long the old one still works.")] = 24,
) -> None:
    """Make a write key in place of another, and show it, this once."""
    from tabiji_cli import keyring  # noqa: PLC0415 - other commands start faster without it

    made = keyring.rotate(which, timedelta(hours=grace_hours))
    typer.echo(made["key"])
    typer.echo(f"{which} works until {made['predecessor_works_until']:%Y-%m-%d %H:%M:%S}Z", err=True)


@keys_app.command("revoke")
def keys_revoke(
    which: Annotated[str, typer.Argument(help="An operator key's name, or a write key's id.")],
) -> None:
    """Revoke a key; services follow within seconds."""
    from tabiji_cli import keyring  # noqa: PLC0415 - other commands start faster without it

    typer.echo(f"revoked: {keyring.revoke(which)}")


@keys_app.command("audit")
def keys_audit(limit: Annotated[int, typer.Option(min=1, max=1000)] = 50) -> None:
    """Which key changed what, in any service or from here, the newest first."""
    from tabiji_cli import keyring  # noqa: PLC0415 - other commands start faster without it

    Console().print(keyring.audit(limit))


@app.command()
def failpoints() -> None:
    """List the places in all services where a test may stop, slow or kill a process."""
    from tabiji_cli import listings  # noqa: PLC0415 - imports every service

    Console().print(listings.table(listings.failpoints(), "failpoint", "where"))


@app.command()
def topics(
    create: Annotated[
        list[str] | None, typer.Option(help="Create this topic of a service of yours, if it is not there; repeatable.")
    ] = None,
    read: Annotated[str, typer.Option(help="Show the newest records of this topic, as lines of JSON.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many records.")] = 10,
) -> None:
    """List an installation's topics and what they hold, create your own, or read one (TABIJI_KAFKA_BOOTSTRAP, …)."""
    from tabiji_cli import listings  # noqa: PLC0415 - imports the Kafka client
    from tabiji_common.kafka import tail  # noqa: PLC0415

    if read:
        for line in tail.newest(read, limit):
            typer.echo(line)
        return
    if create:
        made = listings.create(create)
        typer.echo(f"made: {', '.join(made)}" if made else "all of them are there")
        return
    Console().print(listings.table(listings.topics(), "topic", "holds"))


async def _imported(source: Source, url: str, write_key: str) -> int:
    from tabiji_cli import imports  # noqa: PLC0415 - other commands start faster without it
    from tabiji_cli.http import client  # noqa: PLC0415

    async with client() as http:
        return await imports.run(source, url, write_key, Console(stderr=True), http)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def main() -> None:
    """Run the command line; what Tabiji raises on purpose is told in its own words."""
    try:
        app()
    except TabijiError as error:
        sys.exit(f"tabiji: {error}")


if __name__ == "__main__":
    main()
