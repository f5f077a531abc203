"""What memory keeps, and what it lets go."""

from tabiji_journey.domain.memory import LIMIT, NOTHING, Memory, remember
from tabiji_journey.domain.model import Occurrence
from tests.unit.journey.pipeline.people import after


def test_of_one_key_the_occurrence_that_happened_last_stays() -> None:
    key = ("order_completed", None)
    later = remember(NOTHING, [key], Occurrence(after(hours=2), "later"))
    both = remember(later, [key], Occurrence(after(hours=1), "earlier"))
    assert both.last("order_completed") == Occurrence(after(hours=2), "later")


def test_the_oldest_key_goes_out_at_the_limit_and_is_counted() -> None:
    memory = NOTHING
    for n in range(LIMIT + 3):
        memory = remember(memory, [("product_added", ("cart", f"c{n}"))], Occurrence(after(hours=n), f"e{n}"))
    assert len(memory.kept) == LIMIT
    assert memory.evicted == 3
    assert memory.last("product_added", ("cart", "c2")) is None
    assert memory.last("product_added", ("cart", "c3")) is not None


def test_a_key_that_is_told_again_is_young_again() -> None:
    memory = NOTHING
    for n in range(LIMIT):
        memory = remember(memory, [("product_added", ("cart", f"c{n}"))], Occurrence(after(hours=n), f"e{n}"))
    memory = remember(memory, [("product_added", ("cart", "c0"))], Occurrence(after(days=30), "again"))
    memory = remember(memory, [("product_added", ("cart", "new"))], Occurrence(after(days=31), "new"))
    assert memory.last("product_added", ("cart", "c0")) is not None
    assert memory.last("product_added", ("cart", "c1")) is None


def test_a_memory_survives_its_column_in_order() -> None:
    memory = remember(NOTHING, [("b", None), ("a", ("cart", "1"))], Occurrence(after(), "x", "o1", {"total": 3}))
    again = Memory.from_json(memory.to_json())
    assert again == memory
    assert list(again.kept) == list(memory.kept)
