"""The outbox in memory: what goes out when, in order for each customer, whatever fails or is lost on the way."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.kafka.outbox import Outbox, Row
from tests.unit.common.kafka.records import row


def holding(*rows: Row) -> Outbox:
    outbox = Outbox()
    outbox.add(rows)
    return outbox


def ids(rows: list[Row]) -> list[str]:
    return [row.id for row in rows]


def test_rows_go_out_in_order_and_once() -> None:
    outbox = holding(row(0, 1, "w:a"), row(0, 2, "w:b"), row(1, 3, "w:c"))
    assert ids(outbox.hand_over(10)) == ["r0.1", "r0.2", "r1.3"]
    assert outbox.hand_over(10) == []


def test_a_held_row_is_passed_over_and_only_later_rows_of_its_customer_wait_behind_it() -> None:
    outbox = holding(
        row(0, 1, "w:a"), row(0, 2, "w:a", held=True), row(0, 3, "w:a"), row(0, 4, "w:b"), row(0, 5, "w:a", held=True)
    )
    assert ids(outbox.hand_over(10)) == ["r0.1", "r0.4"]
    outbox.release([outbox.waiting["r0.2"]])
    assert ids(outbox.hand_over(10)) == ["r0.2", "r0.3"]
    assert list(outbox.waiting) == ["r0.5"]


def test_rows_of_a_parked_customer_wait() -> None:
    outbox = holding(row(0, 1, "w:a"), row(0, 2, "w:b"))
    assert ids(outbox.hand_over(10, {"w:a"})) == ["r0.2"]
    assert ids(outbox.hand_over(10)) == ["r0.1"]


def test_a_batch_is_limited_and_the_rest_comes_next() -> None:
    outbox = holding(*(row(0, n, f"w:{n}") for n in range(5)))
    assert ids(outbox.hand_over(3)) == ["r0.0", "r0.1", "r0.2"]
    assert ids(outbox.hand_over(3)) == ["r0.3", "r0.4"]


def test_acked_rows_are_marked_for_deletion_and_forgotten() -> None:
    outbox = holding(row(0, 1, "w:a"), row(0, 2, "w:a"))
    outbox.ack(outbox.hand_over(1))
    assert outbox.acked == [(0, 1, 1)]
    assert len(outbox) == 1


def test_without_an_ack_rows_go_again_in_their_place() -> None:
    outbox = holding(row(0, 1, "w:a"), row(0, 2, "w:a"))
    outbox.fail(outbox.hand_over(10))
    outbox.add([row(0, 3, "w:a")])
    assert ids(outbox.hand_over(10)) == ["r0.1", "r0.2", "r0.3"]


def test_a_barrier_passed_names_the_held_rows_that_may_go() -> None:
    outbox = holding(row(0, 1, "w:a", held=True, barrier=3), row(0, 2, "w:b", held=True, barrier=5))
    outbox.add([row(1, 3, "w:c", held=True, barrier=3), row(0, 4, "w:d", held=True)])
    assert ids(outbox.passed({0: 4})) == ["r0.1"]
    assert ids(outbox.passed({0: 5, 1: 2})) == ["r0.1", "r0.2"]


def test_held_rows_of_another_epoch_are_inherited() -> None:
    outbox = Outbox()
    outbox.add([row(0, 1, "w:a", epoch=1, held=True), row(0, 2, "w:b", epoch=2, held=True), row(0, 3, "w:c", epoch=1)])
    outbox.add([row(1, 1, "w:d", epoch=1, held=True)])
    assert outbox.inherited({0: 2, 1: 1}) == {"r0.1"}


def test_a_withdrawn_row_is_deleted_and_lets_later_ones_go() -> None:
    outbox = holding(row(0, 1, "w:a", held=True), row(0, 2, "w:a"))
    slots = outbox.withdraw({"r0.1"})
    assert slots == [(0, 1, 1)]
    assert outbox.hand_over(10) == []  # until the transaction has committed
    outbox.drop(slots)
    assert ids(outbox.hand_over(10)) == ["r0.2"]
    assert not outbox.waiting


def test_read_back_rows_of_numbers_taken_anew_go_from_the_start_with_a_fresh_barrier() -> None:
    outbox = Outbox()
    outbox.reconcile([row(0, 1, "w:a", held=True), row(0, 2, "w:b")], frozenset(), 7)
    assert outbox.waiting["r0.1"].barrier == 7
    assert ids(outbox.hand_over(10)) == ["r0.2"]


def test_read_back_rows_of_numbers_lost_are_forgotten() -> None:
    outbox = holding(row(0, 1, "w:a"), row(1, 2, "w:b"), row(1, 3, "w:b", held=True))
    outbox.ack([row(1, 2, "w:b")])
    outbox.reconcile([row(0, 1, "w:a")], frozenset({0}), 1)
    assert (len(outbox), outbox.acked, outbox.waiting) == (1, [], {})


def test_read_back_of_a_number_kept_memory_knows_what_was_handed_over_released_and_acked() -> None:
    handed, released, acked, fresh = row(0, 1, "w:a"), row(0, 2, "w:b", held=True), row(0, 3, "w:c"), row(0, 9, "w:d")
    outbox = holding(handed, released, acked)
    outbox.release([released])
    flying = outbox.hand_over(1)
    outbox.ack([acked])
    there = [row(0, 1, "w:a"), row(0, 2, "w:b", held=True), row(0, 3, "w:c"), fresh]
    outbox.reconcile(there, frozenset({0}), 5)
    assert outbox.acked == [(0, 1, 3)]
    assert ids(outbox.hand_over(10)) == ["r0.2", "r0.9"]
    outbox.ack(flying)
    assert outbox.acked == [(0, 1, 3), (0, 1, 1)]


def test_read_back_what_a_lost_commit_deleted_is_gone_and_what_it_wrote_is_there() -> None:
    outbox = holding(row(0, 1, "w:a", held=True), row(0, 2, "w:b"))
    outbox.ack([row(0, 2, "w:b")])
    outbox.reconcile([row(0, 3, "w:c")], frozenset({0}), 5)
    assert (outbox.acked, outbox.waiting) == ([], {})
    assert ids(outbox.hand_over(10)) == ["r0.3"]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.sampled_from(["hand", "ack", "fail", "release", "again"]), st.just(""), st.just(value=False)),
    ),
    max_size=60,
)


class Owner:
    """Does to an outbox what its owner does, and keeps what went over the wire."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.written: list[Row] = []
        self.wire: list[Row] = []
        self.flying: list[Row] = []

    def add(self, n: int, customer: str, *, held: bool) -> None:
        self.written.append(row(0, n, f"w:{customer}", held=held))
        self.outbox.add([self.written[-1]])

    def hand(self) -> None:
        if not self.flying:
            self.flying = self.outbox.hand_over(2)
            self.wire += self.flying

    def ack(self) -> None:
        self.outbox.ack(self.flying)
        self.flying = []
        self.hand()

    def fail(self) -> None:
        self.outbox.fail(self.flying)
        self.flying = []

    def release(self) -> None:
        self.outbox.release(list(self.outbox.waiting.values())[:1])

    def again(self) -> None:
        """A turn failed: memory is read back from rows, which say of every unacked one how it was written."""
        there = [row(0, old.slot[2], old.key, held=True) for old in self.written if old.slot not in self.outbox.acked]
        self.outbox.reconcile(there, frozenset({0}), 1)

    def first_seen(self) -> dict[str, list[int]]:
        seen: dict[str, list[int]] = defaultdict(list)
        for sent in self.wire:
            if sent.slot[2] not in seen[sent.key]:
                seen[sent.key].append(sent.slot[2])
        return seen


@given(steps)
def test_first_seen_records_of_a_customer_are_in_order_and_none_is_missed(
    steps: list[tuple[str, str, bool]],
) -> None:
    """Rows come, are handed over, acked or not, released, and read back; at the end all of them go."""
    owner = Owner()
    for n, (verb, customer, held) in enumerate(steps):
        if verb == "add":
            owner.add(n, customer, held=held)
        else:
            getattr(owner, verb)()
    for _ in steps:
        owner.release()
        owner.ack()
    owner.ack()
    expected: dict[str, list[int]] = defaultdict(list)
    for made in owner.written:
        expected[made.key].append(made.slot[2])
    assert owner.first_seen() == expected
