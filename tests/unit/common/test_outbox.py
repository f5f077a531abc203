"""The outbox in memory: order for each customer, held sends passed over, nothing forgotten before its ack."""

from datetime import UTC, datetime

from tabiji_common.events import CustomEvent
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.topics import CUSTOM

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(n: int, customer: str = "c", *, held: bool = False, p: int = 0) -> Row:
    body = CustomEvent(workspace="w", customer=customer)
    record = CUSTOM.record(body, id=f"r{n}", source="s", occurred_at=AT, accepted_at=AT, type="tried")
    return Row.of((p, 1, n), record, held=held)


def ids(rows: list[Row]) -> list[str]:
    return [one.id for one in rows]


def test_rows_are_handed_over_once_and_in_order() -> None:
    outbox = Outbox()
    outbox.add([row(1), row(2), row(3)])
    assert ids(outbox.hand_over(2)) == ["r1", "r2"]
    assert ids(outbox.hand_over(9)) == ["r3"]
    assert outbox.hand_over(9) == []
    assert len(outbox) == 3, "nothing is forgotten before its ack"


def test_a_held_send_is_passed_over_and_only_later_rows_of_its_customer_wait() -> None:
    outbox = Outbox()
    outbox.add([row(1, "a"), row(2, "a", held=True), row(3, "a"), row(4, "b")])
    assert ids(outbox.hand_over(9)) == ["r1", "r4"]
    outbox.release(list(outbox.waiting.values()))
    assert ids(outbox.hand_over(9)) == ["r2", "r3"]


def test_a_batch_without_acks_goes_again_before_what_came_later() -> None:
    outbox = Outbox()
    outbox.add([row(1)])
    gone = outbox.hand_over(9)
    outbox.add([row(2)])
    outbox.fail(gone)
    assert ids(outbox.hand_over(9)) == ["r1", "r2"]


def test_acked_rows_are_marked_for_the_next_transaction() -> None:
    outbox = Outbox()
    outbox.add([row(1), row(2)])
    outbox.ack(outbox.hand_over(1))
    assert outbox.acked == [(0, 1, 1)]
    assert len(outbox) == 1


def test_only_sends_whose_probe_has_passed_are_released() -> None:
    outbox = Outbox()
    early, late = row(1, "a", held=True), row(2, "b", held=True)
    early.barrier, late.barrier = 3, 4
    outbox.add([early, late])
    assert ids(outbox.passed({0: 3})) == ["r1"]
    assert outbox.passed({1: 9}) == [], "another number's probe says nothing"


def test_a_withdrawn_send_is_gone_and_frees_what_waited_behind_it() -> None:
    outbox = Outbox()
    outbox.add([row(1, held=True), row(2)])
    slots = outbox.withdraw({"r1"})
    outbox.drop(slots)
    assert slots == [(0, 1, 1)]
    assert ids(outbox.hand_over(9)) == ["r2"]
    assert outbox.waiting == {}


def test_parked_customers_rows_wait() -> None:
    outbox = Outbox()
    outbox.add([row(1, "a"), row(2, "b")])
    assert ids(outbox.hand_over(9, {"w:a"})) == ["r2"]
    assert ids(outbox.hand_over(9)) == ["r1"]


def test_after_a_reload_memory_is_what_the_database_has() -> None:
    """What was acked stays to be marked, what was released stays released, strangers wait for a fresh barrier."""
    outbox = Outbox()
    outbox.add([row(1), row(2, held=True), row(3, "lost")])
    outbox.ack(outbox.hand_over(1))
    outbox.release(list(outbox.waiting.values()))
    outbox.reconcile([row(1), row(2, held=True), row(4, "new", held=True)], frozenset({0}), barrier=7)
    assert outbox.acked == [(0, 1, 1)]
    assert ids(outbox.hand_over(9)) == ["r2"]
    assert {id_: one.barrier for id_, one in outbox.waiting.items()} == {"r4": 7}
