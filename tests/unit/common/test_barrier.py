"""Barriers: a send or a timer goes once all that the log held has been applied."""

from datetime import UTC, datetime, timedelta

from tabiji_common.kafka.barrier import Barriers, Probe

START = datetime(2026, 1, 1, tzinfo=UTC)
OWNED = frozenset({0, 1})


def probe(number: int, zero: int, one: int) -> Probe:
    return Probe(number, START + timedelta(seconds=number), {("a", 0): zero, ("a", 1): one})


def test_a_number_passes_a_probe_once_it_has_applied_all_of_its_own_topics() -> None:
    barriers = Barriers()
    barriers.add(probe(1, 5, 7))
    passed = barriers.advance(OWNED, {("a", 0): 5, ("a", 1): 6})
    assert {p: one.number for p, one in passed.items()} == {0: 1}
    assert passed[0].seen == START + timedelta(seconds=1)


def test_a_probe_that_did_not_ask_about_a_number_is_never_passed_by_it() -> None:
    barriers = Barriers()
    barriers.add(Probe(1, START, {("a", 0): 0}))
    assert set(barriers.advance(OWNED, {("a", 0): 9, ("a", 1): 9})) == {0}


def test_a_newer_probe_counts_only_when_it_is_passed_itself() -> None:
    barriers = Barriers()
    barriers.add(probe(1, 5, 5))
    barriers.add(probe(2, 9, 5))
    passed = barriers.advance(OWNED, {("a", 0): 5, ("a", 1): 5})
    assert {p: one.number for p, one in passed.items()} == {0: 1, 1: 2}


def test_numbers_that_go_take_their_barriers_with_them() -> None:
    barriers = Barriers()
    barriers.add(probe(1, 0, 0))
    barriers.advance(OWNED, {("a", 0): 0, ("a", 1): 0})
    barriers.forget(frozenset({1}))
    assert set(barriers.advance(OWNED, {})) == {1}


def test_memory_stays_bounded_under_a_backlog_that_never_ends_and_the_newest_probe_is_kept() -> None:
    barriers = Barriers()
    for number in range(1, 1000):
        barriers.add(probe(number, 10_000 + number, 10_000 + number))
        barriers.advance(OWNED, {("a", 0): number, ("a", 1): number})
    assert len(barriers.probes) <= 101
    assert barriers.probes[-1].number == 999
