"""Barriers: passed once all that the log held when it was asked has been applied, and not a record sooner."""

from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.kafka.barrier import Barriers, Probe
from tabiji_common.kafka.merge import Place
from tests.unit.common.kafka.records import START

BOTH = frozenset({0, 1})


def probe(number: int, ends: dict[Place, int]) -> Probe:
    return Probe(number, START, ends)


def numbers(barriers: Barriers, owned: frozenset[int], applied: dict[Place, int]) -> dict[int, int]:
    return {p: passed.number for p, passed in barriers.advance(owned, applied).items()}


def test_a_probe_is_passed_once_every_topic_of_the_number_is_applied_to_its_end() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 5, ("b", 0): 3}))
    assert numbers(barriers, frozenset({0}), {("a", 0): 5, ("b", 0): 2}) == {}
    assert numbers(barriers, frozenset({0}), {("a", 0): 5, ("b", 0): 3}) == {0: 1}


def test_numbers_pass_a_probe_each_in_its_time() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 5, ("a", 1): 9}))
    assert numbers(barriers, BOTH, {("a", 0): 5, ("a", 1): 8}) == {0: 1}
    assert numbers(barriers, BOTH, {("a", 0): 5, ("a", 1): 9}) == {0: 1, 1: 1}


def test_the_newest_probe_passed_counts_and_implies_the_older_ones() -> None:
    barriers = Barriers()
    for number in (1, 2, 3):
        barriers.add(probe(number, {("a", 0): number * 10}))
    assert numbers(barriers, frozenset({0}), {("a", 0): 25}) == {0: 2}
    assert len(barriers.probes) == 1


def test_a_number_that_was_not_asked_about_never_passes() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 0}))
    assert numbers(barriers, BOTH, {("a", 0): 0, ("a", 1): 100}) == {0: 1}


def test_a_place_that_was_not_applied_at_all_is_not_passed() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 0}))
    assert numbers(barriers, frozenset({0}), {}) == {}


def test_what_only_a_plan_would_pass_is_not_passed() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 5}))
    assert {p: one.number for p, one in barriers.passed(frozenset({0}), {("a", 0): 5}).items()} == {0: 1}
    assert numbers(barriers, frozenset({0}), {("a", 0): 4}) == {}
    assert numbers(barriers, frozenset({0}), {("a", 0): 5}) == {0: 1}


def test_forgetting_keeps_what_the_numbers_that_stay_have_passed_and_what_the_log_was_seen_to_hold() -> None:
    barriers = Barriers()
    barriers.add(probe(1, {("a", 0): 0, ("a", 1): 0}))
    assert numbers(barriers, BOTH, {("a", 0): 0, ("a", 1): 0}) == {0: 1, 1: 1}
    barriers.add(probe(2, {("a", 0): 9, ("a", 1): 7}))
    barriers.forget(frozenset({1}))
    assert numbers(barriers, BOTH, {("a", 0): 8, ("a", 1): 0}) == {1: 1}
    assert numbers(barriers, BOTH, {("a", 0): 9, ("a", 1): 7}) == {0: 2, 1: 2}


def test_the_probes_kept_are_bounded_and_the_newest_stays() -> None:
    barriers = Barriers()
    for number in range(1000):
        barriers.add(probe(number, {("a", 0): number + 1}))
        barriers.advance(frozenset({0}), {("a", 0): 0})
    assert len(barriers.probes) <= 101
    assert numbers(barriers, frozenset({0}), {("a", 0): 1000}) == {0: 999}


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=15),
    st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=1, max_size=15),
)
def test_the_newest_probe_passed_is_the_one_that_counting_finds(
    growth: list[list[int]], progress: list[list[int]]
) -> None:
    """Against an oracle that keeps every probe and looks at each; ends only grow, as a log's do."""
    places: list[Place] = [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    barriers, everything = Barriers(), []
    ends, applied = [0] * 4, [0] * 4
    for number in range(max(len(growth), len(progress))):
        if number < len(growth):
            ends = [end + more for end, more in zip(ends, growth[number], strict=True)]
            everything.append(probe(number, dict(zip(places, ends, strict=True))))
            barriers.add(everything[-1])
        if number < len(progress):
            applied = [min(e, a + more) for e, a, more in zip(ends, applied, progress[number], strict=True)]
        now = dict(zip(places, applied, strict=True))
        expected = {
            p: max(found)
            for p in BOTH
            if (
                found := [
                    asked.number
                    for asked in everything
                    if all(now[place] >= end for place, end in asked.ends.items() if place[1] == p)
                ]
            )
        }
        assert numbers(barriers, BOTH, now) == expected
