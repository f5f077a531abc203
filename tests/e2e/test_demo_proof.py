"""The demo three times, plain, slowed down and with a kill: the same tables, and every check holds."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console

from tabiji_cli.demo.play import Options
from tabiji_cli.demo.proof import Proof, prove, tell
from tabiji_cli.demo.runs import Run
from tabiji_cli.local import Stack
from tabiji_cli.processes import Ports
from tests.e2e.records import faults, records


async def proven(stack: Stack, options: Options) -> Proof:
    console = Console(file=sys.stdout, width=160)
    found = await prove(stack, options, console, lambda line: console.print(f"· {line}"), Ports.free())
    tell(found, console)
    return found


KINDS = {
    "events.purchase.v1 order_completed",
    "events.page_view.v1 product_viewed",
    "events.engagement.v1 email_opened",
    "events.customer.v1 identified",
    "events.customer.v1 consent_given",
    "journey.transition.v1 transition",
    "dispatch.send.v1 send",
    "dispatch.outcome.v1 outcome",
}


async def every_record_is_as_its_schema_says(stack: Stack) -> None:
    """What the last run left in its topics."""
    prefix = Run.numbered(stack.home, int((stack.home / "demo" / "last").read_text("ascii"))).prefix
    seen, wrong = faults(await records(stack.kafka.bootstrap, prefix), prefix)
    print(f"· records validated: {dict(seen)}")
    assert wrong == []
    assert seen.keys() >= KINDS


@pytest.mark.timeout(900)
async def test_a_slow_run_and_a_killed_run_show_what_the_plain_one_shows(stack: Stack) -> None:
    """Two hundred customers, ninety days."""
    found = await proven(stack, Options(customers=200, days=90))
    assert found.holds
    assert all(not digest["unknown"] for digest in found.digests.values())
    await every_record_is_as_its_schema_says(stack)


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
async def test_the_same_holds_on_the_whole_sample(stack: Stack) -> None:
    found = await proven(stack, Options())
    assert found.holds
