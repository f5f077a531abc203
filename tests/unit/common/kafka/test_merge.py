"""Merging by append time: the frontier never lets a record pass one that was appended earlier and is not read yet."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.kafka.merge import Merge, Place
from tabiji_common.kafka.turn import Received
from tests.unit.common.kafka.records import at, record

TOPICS = ("a", "b", "c")
A, B = ("a", 0), ("b", 0)


def filled(**reads: list[int]) -> Merge:
    """A merge that has read records of these append times (milliseconds), by topic, of number 0."""
    merge = Merge(TOPICS)
    merge.assign({(topic, 0): 0 for topic in reads})
    for topic, times in reads.items():
        if times:
            merge.add((topic, 0), [record(topic, 0, n, t) for n, t in enumerate(times)], len(times))
    return merge


def taken(merge: Merge, ends: dict[Place, int], limit: int = 100) -> list[str]:
    return [f"{r.topic}{r.offset}" for r in merge.take(limit, ends)]


def test_topics_are_merged_by_append_time_once_all_are_read_to_their_ends() -> None:
    merge = filled(a=[1, 4, 5], b=[2, 3, 6])
    assert taken(merge, {A: 3, B: 3}) == ["a0", "b0", "b1", "a1", "a2", "b2"]


def test_a_topic_with_unread_records_holds_back_what_is_later_than_its_last_one_read() -> None:
    merge = filled(a=[1, 4, 9], b=[2, 3])
    assert taken(merge, {A: 3, B: 5}) == ["a0", "b0", "b1"]
    merge.add(B, [record("b", 0, 2, 5), record("b", 0, 3, 7), record("b", 0, 4, 8)], 5)
    assert taken(merge, {A: 3, B: 5}) == ["a1", "b2", "b3", "b4", "a2"]


def test_a_topic_of_which_nothing_was_read_yet_holds_back_everything_of_its_number() -> None:
    merge = filled(a=[1, 2], b=[])
    assert taken(merge, {A: 2, B: 1}) == []
    assert taken(merge, {A: 2, B: 0}) == ["a0", "a1"]


def test_a_place_whose_end_was_never_asked_for_counts_as_unread() -> None:
    assert taken(filled(a=[1, 2], b=[]), {A: 2}) == []


def test_numbers_do_not_hold_back_each_other() -> None:
    merge = Merge(TOPICS)
    merge.assign({("a", 0): 0, ("b", 0): 0, ("a", 1): 0})
    merge.add(("a", 0), [record("a", 0, 0, 5)], 1)
    merge.add(("a", 1), [record("a", 1, 0, 9)], 1)
    assert [r.partition for r in merge.take(10, {("a", 0): 1, ("b", 0): 4, ("a", 1): 1})] == [1]


def test_equal_append_times_go_by_the_order_of_the_topics() -> None:
    merge = filled(b=[1], a=[1])
    assert taken(merge, {A: 1, B: 1}) == ["a0", "b0"]


def test_a_topic_whose_clock_went_back_keeps_its_own_order() -> None:
    merge = filled(a=[5, 3, 4])
    assert taken(merge, {A: 3}) == ["a0", "a1", "a2"]


def test_a_number_with_a_backlog_lets_the_others_go_before_its_next_part() -> None:
    merge = Merge(TOPICS)
    merge.assign({("a", p): 0 for p in range(3)})
    for p in range(3):
        merge.add(("a", p), [record("a", p, n, n) for n in range(10)], 10)
    ends = {("a", p): 10 for p in range(3)}
    assert [{r.partition for r in merge.take(4, ends)} for _ in range(3)] == [{0}, {1}, {2}]


def test_assigning_anew_forgets_what_was_read() -> None:
    merge = filled(a=[1, 2, 3])
    merge.assign({A: 1})
    assert merge.waiting(A) == 0
    assert taken(merge, {A: 3}) == []


# Three topics of one number: each its append times, in order, and how far it was read.
logs = st.fixed_dictionaries(
    {
        topic: st.lists(st.integers(0, 30), max_size=12)
        .map(sorted)
        .flatmap(lambda times: st.tuples(st.just(times), st.integers(0, len(times))))
        for topic in TOPICS
    }
)


@given(logs, st.integers(1, 40))
def test_no_record_ever_passes_an_unread_one_of_an_earlier_time(
    logs: dict[str, tuple[list[int], int]], limit: int
) -> None:
    merge = filled(**{topic: times[:read] for topic, (times, read) in logs.items()})
    ends = {(topic, 0): len(times) for topic, (times, _) in logs.items()}
    got = merge.take(limit, ends)

    unread = [at(t) for times, read in logs.values() for t in times[read:]]
    assert all(r.appended_at <= min(unread) for r in got if unread)
    assert [order(r) for r in got] == sorted(order(r) for r in got)
    assert got == sorted(readable(logs), key=order)[: len(got)]
    # and nothing waits without need: what is strictly before all that is unread goes, up to the limit
    free = [r for r in readable(logs) if not unread or r.appended_at < min(unread)]
    known = all(read or not times for times, read in logs.values())
    assert len(got) >= (min(limit, len(free)) if known and not behind(logs) else 0)


def order(r: Received) -> tuple[datetime, str, int]:
    return (r.appended_at, r.topic, r.offset)


def readable(logs: dict[str, tuple[list[int], int]]) -> list[Received]:
    return [record(topic, 0, n, t) for topic, (times, read) in logs.items() for n, t in enumerate(times[:read])]


def behind(logs: dict[str, tuple[list[int], int]]) -> bool:
    """Whether a topic's last record read lies before its first unread one: its bound is lower than need be."""
    return any(0 < read < len(times) and times[read - 1] < times[read] for times, read in logs.values())


@given(logs, st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(1, 5)), max_size=30), st.integers(1, 7))
def test_however_reading_and_taking_alternate_the_whole_log_comes_out_in_append_order(
    logs: dict[str, tuple[list[int], int]], reads: list[tuple[str, int]], limit: int
) -> None:
    merge = filled(**{topic: [] for topic in TOPICS})
    ends = {(topic, 0): len(times) for topic, (times, _) in logs.items()}
    got: list[Received] = []
    for topic, count in [*reads, *((topic, 100) for topic in TOPICS)]:
        place = (topic, 0)
        start, times = merge.position[place], logs[topic][0]
        some = [record(topic, 0, n, times[n]) for n in range(start, min(start + count, len(times)))]
        if some:
            merge.add(place, some, start + len(some))
        got += merge.take(limit, ends)
    while more := merge.take(limit, ends):
        got += more
    assert len(got) == sum(len(times) for times, _ in logs.values())
    assert [r.appended_at for r in got] == sorted(r.appended_at for r in got)
    for topic in TOPICS:
        offsets = [r.offset for r in got if r.topic == topic]
        assert offsets == list(range(len(offsets)))
