"""The suite can fail: bugs that others have shipped, planted one at a time, are caught by stories that meet them."""

import asyncio
import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.conformance.harness import PATIENCE, Stories, Story, Yard, load
from tests.conformance.test_crashes import BARE, kill_at, wake_late
from tests.conformance.test_outages import lose_answers

PLANTED = "tests.conformance.planted"


async def run_through(toys: Yard, module: str, patience: float = PATIENCE) -> None:
    """No fault at all: a backlog of events, some of whose answers wait for their barrier."""
    sent = load(3000)
    await toys.send(sent)
    toys.start(module=module, TABIJI_POLL_RECORDS="200", **BARE)
    await toys.settle(patience)
    await toys.check(sent)


async def die_while_publishing(toys: Yard, module: str) -> None:
    """Killed with a batch on its way that has no ack yet, some turns after it was handed over."""
    sent = load(1200)
    await toys.send(sent)
    doomed = toys.start(failpoints="runtime.publish.before=sleep:60@2", module=module, **BARE)
    await doomed.reached("runtime.publish.before")
    await asyncio.sleep(2.5)
    await asyncio.to_thread(doomed.kill)
    toys.start(module=module, **BARE)
    await toys.settle()
    await toys.check(sent)


CASES: dict[str, tuple[Story, str]] = {
    "the owner row is not taken": (
        partial(wake_late, stop="runtime.turn.before_begin=stop@6", module=f"{PLANTED}.no_epoch", patience=10),
        r"applied twice|inversion|tallied|out of order|not settled",
    ),
    "offsets are committed before events are applied": (
        partial(kill_at, point="runtime.turn.before_commit", module=f"{PLANTED}.auto_commit"),
        r"\d+ lost",
    ),
    "the outbox is read by a cursor": (
        partial(run_through, module=f"{PLANTED}.cursor", patience=20),
        r"\d+ answers lost|not settled",
    ),
    "a commit whose answer is lost is taken for a rollback": (
        partial(lose_answers, module=f"{PLANTED}.hearsay"),
        r"\d+ answers lost",
    ),
    "rows are marked before they are acked": (
        partial(die_while_publishing, module=f"{PLANTED}.mark_first"),
        r"\d+ answers lost",
    ),
}


HEALTHY = {
    story.__name__: partial(story, module="tests.conformance.toy") for story in (run_through, die_while_publishing)
}


@pytest.fixture(scope="module")
def told(stories: Stories) -> Iterator[Stories]:
    with stories.told({name: story for name, (story, _) in CASES.items()} | HEALTHY) as telling:
        yield telling


TELLINGS = 3  # a fault may miss what it is aimed at, and then there is nothing to be caught


@pytest.mark.parametrize("bug", CASES)
def test_the_checker_catches_it_when(told: Stories, bug: str) -> None:
    story, wanted = CASES[bug]
    said = _said(lambda: told.end(bug))
    for _ in range(TELLINGS - 1):
        if not re.search(wanted, said):
            said = _said(lambda: told.tell(story))
    assert re.search(wanted, said), said


def _said(tell: Callable[[], None]) -> str:
    """What the checker said of a story, nothing where it was content."""
    try:
        tell()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("story", HEALTHY)
def test_without_a_bug_the_same_story_ends_well(told: Stories, story: str) -> None:
    told.end(story)
