"""Evidence -> what a run shows at its end: retention, LTV, F2, journeys, messages, the A/A check, every check."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tabiji_cli.demo.checks import Check, repeats_of
from tabiji_cli.demo.evidence import Arm, Evidence, JourneyCount, Row
from tabiji_cli.palette import BAD, FAINT, GOAL, ROAD, WARN, bar, heat, spark
from tabiji_console.domain.lift import lift

ZONE = "Asia/Tokyo"
LTV_MONTHS = (0, 1, 3, 6, 12)


def report(evidence: Evidence, checks: Sequence[Check]) -> RenderableType:
    """Everything but where to look."""
    sections = (
        ("Retention: % of the cohort that bought again, by month since the first", retention(evidence)),
        ("LTV by cohort, USD for each customer", ltv(evidence)),
        ("Second order and on", repeats(evidence)),
        ("Journeys: entered = waiting + finished + exited", journeys(evidence.journeys)),
        ("Messages", messages(evidence)),
        (
            "A/A, in customers: replayed people cannot react, so no lift is expected",
            arms(evidence.arms),
        ),
        ("Checks, from the driver's and the mailbox's own files", verdicts(checks)),
    )
    return Group(*(part for title, body in sections for part in _section(title, body)))


def _section(title: str, body: RenderableType) -> Iterable[RenderableType]:
    yield Rule(Text(title, style=f"bold {ROAD}"), align="left", style=FAINT)
    yield Padding(body, (1, 2))


def retention(evidence: Evidence) -> RenderableType:
    """The heat map. The month in which the data ends is outlined by dim figures where it is not over."""
    rows = _by_cohort(evidence.tables.get(f"retention_monthly@{ZONE}", ()))
    months = max((len(cells) for cells in rows.values()), default=0)
    top = max((float(cell["retention"]) for cells in rows.values() for cell in cells[1:]), default=0) or 1.0
    grid = Table.grid(padding=0)
    grid.add_column(min_width=9)
    grid.add_column(justify="right", min_width=7)
    for _ in range(months):
        grid.add_column(justify="right", min_width=3, no_wrap=True)
    grid.add_row(
        Text("cohort", style=FAINT), Text("people  ", style=FAINT), *(Text(f"{n} ", style=FAINT) for n in range(months))
    )
    for cohort, cells in rows.items():
        shown = [
            Text(f"{float(cell['retention']) * 100:2.0f} ", style=heat(float(cell["retention"]) / top) if at else FAINT)
            for at, cell in enumerate(cells)
        ]
        grid.add_row(Text(cohort), f"{int(cells[0]['cohort_size']):,}  ", *shown)
    return grid


def ltv(evidence: Evidence) -> RenderableType:
    """Revenue of a cohort so far, divided by its size."""
    rows = _by_cohort(evidence.tables.get(f"ltv_by_cohort@{ZONE}", ()))
    grid = Table.grid(padding=(0, 2))
    columns = ["cohort", "", "month 0", *(str(n) for n in LTV_MONTHS[1:]), "last"]
    for at, _ in enumerate(columns):
        grid.add_column(justify="left" if at < 2 else "right")
    grid.add_row(*(Text(name, style=FAINT) for name in columns))
    for cohort, cells in rows.items():
        values = [float(cell["ltv_minor"]) / 100 for cell in cells]
        shown = [f"{values[n]:.2f}" if n < len(values) else "" for n in LTV_MONTHS]
        grid.add_row(cohort, Text(spark(values), style=ROAD), *shown, Text(f"{values[-1]:.2f}", style="bold"))
    return grid


def repeats(evidence: Evidence) -> RenderableType:
    """How many came to a second order, a third, …"""
    rows = repeats_of(evidence.tables.get("repeat_purchase", ()))
    grid = Table.grid(padding=(0, 2))
    everyone = rows.get(1, 0) or 1
    for n in [n for n in rows if n <= 5]:
        share = rows[n] / everyone
        step = f"{rows[n] / rows[n - 1]:.1%} of F{n - 1}" if n > 1 and rows.get(n - 1) else ""
        style = f"bold {GOAL}" if n == 2 else ""
        grid.add_row(
            Text(f"F{n}", style=style), f"{rows[n]:,}", bar(share, 30, GOAL if n == 2 else ROAD),
            Text(f"{share:.1%}", style=style), Text(step, style=FAINT),
        )  # fmt: skip
    return grid


def journeys(counts: Sequence[JourneyCount]) -> RenderableType:
    """The conservation of people, one line a journey."""
    grid = Table.grid(padding=(0, 2))
    heads = ("journey", "entered", "=", "waiting", "+", "finished", "+", "exited", "", "of them")
    for at, _ in enumerate(heads):
        grid.add_column(justify="right" if at in {1, 3, 5, 7} else "left", no_wrap=at < 9)
    grid.add_row(*(Text(name, style=FAINT) for name in heads))
    for count in counts:
        reasons = ", ".join(f"{people:,} {reason}" for reason, people in sorted(count.exited.items()))
        mark = Text("✓", style=GOAL) if not count.unaccounted else Text(f"✗ {count.unaccounted}", style=BAD)
        grid.add_row(
            Text(count.journey, style="bold"), f"{count.entered:,}", "=", f"{sum(count.waiting.values()):,}", "+",
            f"{count.finished:,}", "+", f"{sum(count.exited.values()):,}", mark, reasons,
        )  # fmt: skip
    return grid


def messages(evidence: Evidence) -> RenderableType:
    """What became of every message, by template, and what readers did."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    seen: dict[str, set[str]] = defaultdict(set)
    for reaction in evidence.reactions:
        seen[reaction.what].add(reaction.key)
    for one in evidence.deliveries.values():
        name = f"{one.journey}/{one.template.rpartition('/')[2]}"
        states[name][one.state] += 1
        for what in ("open", "click"):
            states[name][what] += one.key in seen[what]
    grid = Table.grid(padding=(0, 2))
    heads = ("template", "all", "sent", "suppressed", "failed", "unknown", "opened", "clicked")
    for at, _ in enumerate(heads):
        grid.add_column(justify="right" if at else "left", no_wrap=True)
    grid.add_row(*(Text(name, style=FAINT) for name in heads))
    journey = ""
    for name, count in sorted(states.items()):
        if name.partition("/")[0] != journey:
            journey = name.partition("/")[0]
            grid.add_row(Text(journey, style="bold"))
        sent = count["sent"] + count["delivered"]
        people = sum(count.values()) - count["open"] - count["click"]
        grid.add_row(
            f" {name.partition('/')[2]}", f"{people:,}", Text(f"{sent:,}", style=ROAD), f"{count['suppressed']:,}",
            Text(f"{count['failed']:,}", style=BAD if count["failed"] else ""),
            Text(f"{count['unknown']:,}", style=WARN if count["unknown"] else ""),
            f"{count['open'] / (sent or 1):.0%}", f"{count['click'] / (sent or 1):.0%}",
        )  # fmt: skip
    return grid


def arms(groups: Sequence[Arm]) -> RenderableType:
    """Each group against the first of its experiment, with Newcombe's 95 % interval."""
    experiments: dict[tuple[str, str], list[Arm]] = defaultdict(list)
    for arm in groups:
        experiments[arm.journey, arm.experiment].append(arm)
    grid = Table.grid(padding=(0, 2))
    for (journey, experiment), members in experiments.items():
        base = members[0]
        for arm in members:
            share = f"{arm.converted:,} of {arm.people:,} = {arm.converted / (arm.people or 1):.1%}"
            grid.add_row(f"{journey} · {experiment}" if arm is base else "", Text(arm.arm), share, _lifted(arm, base))
    return grid


def _lifted(arm: Arm, base: Arm) -> Text:
    if arm is base:
        return Text("compared with", style=FAINT)
    found = lift(arm.converted, arm.people, base.converted, base.people)
    told = f"{found.difference * 100:+.1f} points, 95 % interval {found.low * 100:+.1f} to {found.high * 100:+.1f}"
    return Text(told, style=WARN if found.seen else FAINT)


def verdicts(checks: Sequence[Check]) -> RenderableType:
    """Every check, with a tick or a cross, and its figures."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        mark = Text("✓", style=f"bold {GOAL}") if check.ok else Text("✗", style=f"bold {BAD}")
        grid.add_row(mark, Text(check.name), Text(check.detail, style=FAINT if check.ok else BAD))
    return grid


def _by_cohort(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (str(row["cohort_month"]), int(row["month_index"]))):
        found[str(row["cohort_month"])[:7]].append(row)
    return found
