"""The merge of a partition number's topics: append order, and never past what is not read yet."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.kafka.merge import Merge
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import Mode

START = datetime(2026, 1, 1, tzinfo=UTC)
A, B = ("a", 0), ("b", 0)


def record(topic: str, offset: int, at: int, p: int = 0) -> Received:
    when = START + timedelta(milliseconds=at)
    return Received(topic, p, offset, when, "w:c", f"{topic}{offset}", "t", "s", when, when, Mode.LIVE, "", b"{}")


def places(taken: list[Received]) -> list[tuple[str, int]]:
    return [(one.topic, one.offset) for one in taken]


def test_records_of_two_topics_are_taken_in_append_order() -> None:
    merge = Merge(["a", "b"])
    merge.assign({A: 0, B: 0})
    merge.add(A, [record("a", 0, 10), record("a", 1, 30)], 2)
    merge.add(B, [record("b", 0, 20)], 1)
    assert places(merge.take(10, {A: 2, B: 1})) == [("a", 0), ("b", 0), ("a", 1)]


def test_nothing_is_taken_while_a_topic_with_records_has_not_been_read_at_all() -> None:
    merge = Merge(["a", "b"])
    merge.assign({A: 0, B: 0})
    merge.add(A, [record("a", 0, 10)], 1)
    assert merge.take(10, {A: 1, B: 1}) == []
    assert merge.take(10, {}) == [], "without a probe every topic counts as unread"


def test_a_half_read_topic_holds_back_what_was_appended_after_its_last_record() -> None:
    merge = Merge(["a", "b"])
    merge.assign({A: 0, B: 0})
    merge.add(A, [record("a", 0, 10)], 1)
    merge.add(B, [record("b", 0, 5), record("b", 1, 20)], 2)
    assert places(merge.take(10, {A: 9, B: 2})) == [("b", 0), ("a", 0)]


def test_equal_times_go_by_the_rank_of_their_topics() -> None:
    merge = Merge(["b", "a"])
    merge.assign({A: 0, B: 0})
    merge.add(A, [record("a", 0, 10)], 1)
    merge.add(B, [record("b", 0, 10)], 1)
    assert places(merge.take(10, {A: 1, B: 1})) == [("b", 0), ("a", 0)]


def test_the_limit_holds_and_the_rest_comes_next_time() -> None:
    merge = Merge(["a"])
    merge.assign({A: 0})
    merge.add(A, [record("a", n, n) for n in range(5)], 5)
    assert [len(merge.take(2, {A: 5})) for _ in range(4)] == [2, 2, 1, 0]


@given(
    times=st.lists(st.lists(st.integers(0, 50), max_size=8).map(sorted), min_size=2, max_size=4),
    cuts=st.lists(st.lists(st.integers(0, 8), min_size=4, max_size=4), max_size=6),
    limit=st.integers(1, 5),
)
def test_whatever_is_read_when_all_records_come_out_in_append_order(
    times: list[list[int]], cuts: list[list[int]], limit: int
) -> None:
    """An oracle by brute force: the whole log sorted. Fetches bring arbitrary parts of it, the log's ends are known."""
    topics = [str(n) for n in range(len(times))]
    log = {(t, 0): [record(t, n, at) for n, at in enumerate(times[int(t)])] for t in topics}
    ends = {place: len(records) for place, records in log.items()}
    merge = Merge(topics)
    merge.assign(dict.fromkeys(log, 0))
    out: list[Received] = []
    for cut in [*cuts, [8] * 4]:
        for place, count in zip(log, cut, strict=False):
            at = merge.position[place]
            part = log[place][at : at + count]
            if part:
                merge.add(place, part, part[-1].offset + 1)
        while taken := merge.take(limit, ends):
            out += taken
    assert len(out) == sum(ends.values())
    assert [one.appended_at for one in out] == sorted(one.appended_at for one in out)
