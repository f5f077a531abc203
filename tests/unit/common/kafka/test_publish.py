"""Publishing: one batch in flight, the next after all acks; without an ack the same rows again, in their place."""

import asyncio
from collections.abc import Sequence

import pytest

from tabiji_common.errors import Retry, TooLarge
from tabiji_common.kafka.outbox import Outbox, Row
from tabiji_common.kafka.producer import Encoded
from tabiji_common.kafka.publish import Publisher
from tabiji_common.topics import Record
from tests.unit.common.kafka.records import row


class Wire:
    """Takes rows when told to; ``errors`` are raised first, one an append."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.gate = asyncio.Event()
        self.gate.set()
        self.appends: list[list[str]] = []

    async def append(self, records: Sequence[Record[object]]) -> None:
        raise NotImplementedError

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        self.appends.append([record.id for record in records if isinstance(record, Row)])
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)


def publisher(wire: Wire, *rows: Row, blocked: set[str] | None = None) -> Publisher:
    outbox = Outbox()
    outbox.add(rows)
    return Publisher("toy", outbox, wire, lambda: blocked or set())


async def test_one_batch_is_in_flight_and_the_next_goes_after_its_acks() -> None:
    wire = Wire()
    wire.gate.clear()
    made = publisher(wire, row(0, 1, "w:a"))
    made.kick()
    made.outbox.add([row(0, 2, "w:a"), row(0, 3, "w:b")])
    made.kick()
    await asyncio.sleep(0)
    assert made.busy
    assert wire.appends == [["r0.1"]]
    wire.gate.set()
    await made.drain()
    assert wire.appends == [["r0.1"], ["r0.2", "r0.3"]]
    assert made.outbox.acked == [(0, 1, 1), (0, 1, 2), (0, 1, 3)]
    assert made.work == 2


async def test_without_an_ack_the_same_rows_go_again() -> None:
    wire = Wire(Retry("no ack"))
    made = publisher(wire, row(0, 1, "w:a"), row(0, 2, "w:b"))
    await made.drain()
    assert wire.appends == [["r0.1", "r0.2"], ["r0.1", "r0.2"]]
    assert len(made.outbox.acked) == 2


class Narrow(Wire):
    """Takes none that are called so."""

    def __init__(self, *too_large: str) -> None:
        super().__init__()
        self.too_large = set(too_large)

    async def append_encoded(self, records: Sequence[Encoded]) -> None:
        await super().append_encoded(records)
        if self.too_large & set(self.appends[-1]):
            raise TooLarge("too large")


async def test_a_row_that_the_log_will_never_take_is_set_aside_and_the_others_go() -> None:
    wire = Narrow("r0.2")
    made = publisher(wire, *(row(0, n, "w:a") for n in (1, 2, 3)))
    await asyncio.wait_for(made.drain(), 5)
    assert wire.appends == [["r0.1", "r0.2", "r0.3"], ["r0.1"], ["r0.2"], ["r0.3"]]
    assert made.outbox.acked == [(0, 1, 1), (0, 1, 3)]
    assert len(made.outbox) == 1
    made.outbox.add([row(0, 4, "w:a")])
    await asyncio.wait_for(made.drain(), 5)
    assert wire.appends[4:] == [["r0.4"]]


async def test_what_is_no_missing_ack_is_raised_in_the_loop() -> None:
    made = publisher(Wire(ZeroDivisionError("a bug")), row(0, 1, "w:a"))
    await made.drain()
    assert made.outbox.acked == []
    with pytest.raises(ZeroDivisionError):
        made.check()


async def test_rows_of_a_parked_customer_stay() -> None:
    wire = Wire()
    made = publisher(wire, row(0, 1, "w:a"), row(0, 2, "w:b"), blocked={"w:a"})
    await made.drain()
    assert wire.appends == [["r0.2"]]


async def test_waiting_for_a_log_that_never_answers_ends_when_it_is_told_to() -> None:
    wire = Wire()
    wire.gate.clear()
    made = publisher(wire, row(0, 1, "w:a"))
    stopping = asyncio.Event()
    draining = asyncio.create_task(made.drain(stopping.is_set))
    await asyncio.sleep(0)
    stopping.set()
    await asyncio.wait_for(draining, 5)
    assert made.busy
    wire.gate.set()
    await made.drain()


async def test_what_waits_for_its_ack_grows_old_until_it_comes() -> None:
    now = 100.0
    wire = Wire(Retry("no ack"))
    wire.gate.clear()
    outbox = Outbox()
    made = Publisher("toy", outbox, wire, set, lambda: now)
    assert made.age() == 0
    outbox.add([row(0, 1, "w:a")])
    made.kick()
    now = 107.5
    assert made.age() == 7.5
    wire.gate.set()
    await asyncio.sleep(0)  # it failed once, and goes again: no younger for that
    assert made.age() == 7.5
    await made.drain()
    assert made.age() == 0
