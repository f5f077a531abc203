"""A record made while an event is answered takes its id and times from it, so that a repeat makes the same record."""

from datetime import UTC, datetime

import pytest

from tabiji_common.cause import Cause, answering
from tabiji_common.commands import Transition
from tabiji_common.events import OrderCompleted, PageViewed
from tabiji_common.topics import PAGE_VIEWS, TRANSITIONS, Mode

THEN, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
ORDER = OrderCompleted(workspace="w", customer="c", order_id="o", amount_minor=1, currency="JPY")
VIEW = ORDER.then(PageViewed, product_id="p")


def cause(id_: str = "e1", service: str = "vip") -> Cause:
    return Cause(service, ("w:c", "shop", id_), THEN, LATER, "backfill")


def test_what_is_left_out_comes_from_the_event() -> None:
    with answering(cause()):
        record = PAGE_VIEWS.record(VIEW)
    assert (record.key, record.source, record.type) == ("w:c", "tabiji/vip", "page_viewed")
    assert (record.occurred_at, record.accepted_at, record.mode) == (THEN, LATER, Mode.BACKFILL)


def test_a_payload_then_is_about_the_same_customer() -> None:
    assert PageViewed(workspace="w", customer="c", product_id="p") == VIEW


def test_a_repeat_makes_the_same_ids_and_each_record_has_its_own() -> None:
    def ids(of: Cause) -> list[str]:
        with answering(of):
            moved = Transition(
                workspace="w", customer="c", enrollment="e", journey="j", version=1, kind="moved", at=THEN
            )
            return [PAGE_VIEWS.record(VIEW).id, PAGE_VIEWS.record(VIEW).id, TRANSITIONS.record(moved).id]

    assert ids(cause()) == ids(cause())
    assert len({*ids(cause()), *ids(cause("e2")), *ids(cause(service="other"))}) == 9


def test_what_is_given_is_kept() -> None:
    with answering(cause()):
        record = PAGE_VIEWS.record(VIEW, id="mine", occurred_at=LATER, mode=Mode.LIVE)
    assert (record.id, record.occurred_at, record.mode) == ("mine", LATER, Mode.LIVE)


def test_outside_of_a_handler_ids_and_times_must_be_given() -> None:
    with pytest.raises(TypeError, match="needs id, source"):
        PAGE_VIEWS.record(VIEW)
    PAGE_VIEWS.record(VIEW, id="1", source="s", occurred_at=THEN, accepted_at=THEN)
