"""``tabiji dlq list|show|replay``: what can be asked of dead letters, and how the answer looks."""

from __future__ import annotations

import json as text
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tabiji_cli.dlq.desk import Search

app = typer.Typer(no_args_is_help=True, help="Records that a service could not apply: read them, replay them.")

Service = Annotated[str, typer.Option(help="Only of journey, dispatch or analytics.")]
Topic = Annotated[str, typer.Option(help="Only of this topic.")]
Reason = Annotated[str, typer.Option(help="Only where the reason has these words.")]
Since = Annotated[str, typer.Option(help="Only those put aside since then: 30m, 2h, 7d, or an RFC 3339 instant.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@app.command("list")
def listing(
    service: Service = "",
    topic: Topic = "",
    reason: Reason = "",
    since: Since = "",
    state: Annotated[str, typer.Option(help="dead, replayed, repeat (had been applied already) or all.")] = "dead",
    limit: Annotated[int, typer.Option(min=1)] = 100,
    json: Json = False,
) -> None:
    """Dead letters, the newest first."""
    from tabiji_cli.dlq import shown  # noqa: PLC0415 - other commands start faster without it

    found = _search(service, topic, reason, since).find(state, limit)
    if json:
        typer.echo(text.dumps([letter.row for letter in found.letters], ensure_ascii=False, indent=2))
        return
    Console().print(shown.table(found.letters))
    typer.echo(shown.counted(found), err=True)


@app.command()
def show(id: Annotated[str, typer.Argument(help="As `tabiji dlq list` shows it.")], json: Json = False) -> None:  # noqa: A002 - the argument's name
    """One dead letter as it was received: where it stood, its headers, why it could not apply, its body."""
    from tabiji_cli.dlq import desk, shown  # noqa: PLC0415 - other commands start faster without it

    found = desk.show(id)
    if json:
        typer.echo(text.dumps(found, ensure_ascii=False, indent=2))
        return
    Console().print(shown.one(found))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Which ones, as `tabiji dlq list` shows them.")] = None,
    service: Service = "",
    topic: Topic = "",
    reason: Reason = "",
    since: Since = "",
    all: Annotated[bool, typer.Option("--all", help="Every dead letter there is.")] = False,  # noqa: A002 - as above
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for the services where nothing moves.")] = 60,
) -> None:
    """Apply dead letters once more, once their cause is mended. What was applied or sent already is not done again."""
    from tabiji_cli.dlq import again, shown  # noqa: PLC0415 - other commands start faster without it

    if not (ids or service or topic or reason or since or all):
        raise typer.BadParameter("name ids, say --service, --topic, --reason or --since, or --all")
    found = _search(service, topic, reason, since, tuple(ids or ())).find("all" if ids else "dead", None)
    sorted_out = again.sort_out(found.letters, ids or ())
    console = Console(stderr=True)
    console.print(shown.before(sorted_out))
    if dry_run or not sorted_out.ready:
        raise typer.Exit(int(bool(sorted_out.refused) and not dry_run))
    if not yes and not typer.confirm("Replay them?", err=True):
        raise typer.Exit(1)
    outcome = again.replay(sorted_out.ready, console, wait)
    console.print(shown.after(outcome))
    raise typer.Exit(int(bool(outcome.dead or outcome.refused or outcome.waiting)))


def _search(service: str, topic: str, reason: str, since: str, ids: tuple[str, ...] = ()) -> Search:
    from tabiji_cli.dlq.desk import SERVICES, Search, instant  # noqa: PLC0415 - other commands start faster without it

    if service and service not in SERVICES:
        raise typer.BadParameter(f"a service is one of {', '.join(SERVICES)}", param_hint="--service")
    return Search((service,) if service else SERVICES, topic, reason, instant(since) if since else "", ids)
