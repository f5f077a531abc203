"""What an enrollment's row keeps in one column."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tabiji_journey.domain.model import Enrollment, Match, MessageRef, Progress, Timer, Trigger, read_progress

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


COLUMNS: dict[str, Any] = {
    "id": "e",
    "workspace": "w",
    "customer": "c",
    "journey": "j",
    "version": 1,
    "key": "",
    "status": "waiting",
    "state": "s",
    "entered_at": AT,
}


def progress(**context: Any) -> Progress:
    return Progress(
        visit=3,
        seq=4,
        trigger=Trigger("m-1", "order_completed", AT, order_id="注文", context=context),
        arms={"test": "a"},
        messages={"thanks": MessageRef("k", 2, AT, "sent", sent_at=AT)},
        matched={"order_completed": Match(AT, "m-2")},
        waiting_since=AT,
        timer=Timer(AT, "wake", "2026-01-02T12:04:05", "Asia/Tokyo"),
    )


def enrollment(came: Progress) -> Enrollment:
    return Enrollment.of_row(msgspec.json.encode(came), **COLUMNS)


@pytest.mark.parametrize("value", [None, 1.5, -(2**63), 2**64 - 1, 2**64, "花", [1, {"a": True}]])
def test_how_far_somebody_has_come_is_read_as_it_was_written(value: Any) -> None:
    came = progress(value=value)
    assert read_progress(enrollment(came).progress()) == came


def test_a_row_of_an_older_version_is_read_as_well() -> None:
    came = progress(total=1980)
    assert read_progress(msgspec.json.encode(came)) == came


def test_a_row_is_packed() -> None:
    came = progress(total=1980)
    assert len(enrollment(came).progress()) < len(msgspec.json.encode(came)) * 3 / 4
