"""The demo three times, plain, slowed down and with a kill: the same tables, and every check holds."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console

from tabiji_cli.demo.play import Options
from tabiji_cli.demo.proof import Proof, prove, tell
from tabiji_cli.local import Stack
from tabiji_cli.processes import Ports


async def proven(stack: Stack, options: Options) -> Proof:
    console = Console(file=sys.stdout, width=160)
    found = await prove(stack, options, console, lambda line: console.print(f"· {line}"), Ports.free())
    tell(found, console)
    return found


@pytest.mark.timeout(900)
async def test_a_slow_run_and_a_killed_run_show_what_the_plain_one_shows(stack: Stack) -> None:
    """Two hundred customers, ninety days."""
    found = await proven(stack, Options(customers=200, days=90))
    assert found.holds
    assert all(not digest["unknown"] for digest in found.digests.values())


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
async def test_the_same_holds_on_the_whole_sample(stack: Stack) -> None:
    found = await proven(stack, Options())
    assert found.holds
