"""The same run three times, plain, slow and with a kill: what they show must be one and the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import uvloop
from rich.console import Console
from rich.text import Text

from tabiji_cli.already import require_unused
from tabiji_cli.demo.checks import Check
from tabiji_cli.demo.digest import differences, meaningful
from tabiji_cli.demo.play import Options, Outcome, end, played
from tabiji_cli.demo.shop import NotAccepted
from tabiji_cli.demo.timemaster import RunFailed
from tabiji_cli.local import Say, Stack, stack, stop_on_signals
from tabiji_cli.palette import BAD, FAINT, GOAL
from tabiji_cli.processes import Ports
from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import default_home

LEAST = 30  # sends, opens, exits and timeouts that a run needs to mean something


@dataclass(frozen=True)
class Proof:
    """Digests of the runs by name, what they differ in, and the checks that failed."""

    digests: Mapping[str, dict[str, Any]]
    differences: Mapping[str, Sequence[str]]
    thin: Sequence[str]
    failed: Mapping[str, Sequence[Check]]

    @property
    def holds(self) -> bool:
        """Whether all runs agree, each of them holds its checks, and there was enough to see."""
        return not any(self.differences.values()) and not self.thin and not any(self.failed.values())


def variants(options: Options) -> dict[str, Options]:
    """The three runs."""
    return {
        "plain": options,
        "dispatch slowed by 300 ms a send": replace(options, slow_dispatch=True),
        "journey killed in mid-batch": replace(options, kill_journey=True),
    }


async def prove(stack: Stack, options: Options, console: Console, say: Say, ports: Ports) -> Proof:
    """Play all three, one after the other, on one stack. Raises ``RunFailed`` where it is told to stop."""
    outcomes: dict[str, Outcome] = {}
    stop = stop_on_signals()
    for name, variant in variants(options).items():
        say(f"run: {name}")
        async with played(stack, variant, console, say, ports=ports, stop=stop) as outcome:
            if not outcome.complete:
                raise RunFailed(f"stopped in the middle of the run: {name}")
            outcomes[name] = outcome
            say(f"{name}: {outcome.seconds:.1f} s, {outcome.ticks} ticks")
            await end(stack)
    digests = {name: outcome.digest for name, outcome in outcomes.items()}
    plain = digests["plain"]
    return Proof(
        digests,
        {name: differences(plain, digest) for name, digest in digests.items() if name != "plain"},
        meaningful(plain, LEAST),
        {name: [check for check in outcome.checks if not check.ok] for name, outcome in outcomes.items()},
    )


def proof(options: Options, console: Console) -> int:
    """``tabiji demo-proof``; the exit status."""

    def say(line: str) -> None:
        console.print(Text("· ", style=FAINT) + Text(line, style=FAINT))

    try:
        ports = Ports.from_environment()
        require_unused(default_home())
        ports.require_free()
        with stack(say) as running:
            found = uvloop.run(prove(running, options, console, say, ports))
    except (StackError, RunFailed, NotAccepted) as error:
        console.print(Text(f"✗ {error}", style=BAD))
        return 1
    tell(found, console)
    return 0 if found.holds else 1


def tell(found: Proof, console: Console) -> None:
    """What the proof found, a line for each finding."""
    for name, failed in found.failed.items():
        for check in failed:
            console.print(Text(f"✗ {name}: {check.name}: {check.detail}", style=BAD))
    for name, unequal in found.differences.items():
        for line in unequal[:20]:
            console.print(Text(f"✗ plain / {name}: {line}", style=BAD))
        if not unequal:
            console.print(Text(f"✓ {name}: the same tables, funnels and counts as the plain run", style=GOAL))
    for line in found.thin:
        console.print(Text(f"✗ too little to prove anything: {line}", style=BAD))
    for name, digest in found.digests.items():
        console.print(Text(f"· {name}: {len(digest['unknown'])} unknown outcomes", style=FAINT))
