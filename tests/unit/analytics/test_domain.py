"""Reading facts, latest truth, funnel steps, handovers: small pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tabiji_analytics.domain import funnel, handover, messages
from tabiji_analytics.domain.batch import Batch, read, segments
from tabiji_analytics.domain.catalog import VIEWS
from tabiji_analytics.domain.facts import Concluded, Engaged, Moved, OrderPlaced, RefundGiven, Touched, order_key
from tabiji_analytics.domain.reading import facts_in
from tabiji_analytics.settings import AnalyticsSettings
from tabiji_common import commands, events
from tabiji_common.errors import Reject
from tabiji_common.kafka.turn import Received
from tabiji_common.topics import (
    ANALYTICS_COMMANDS,
    ANALYTICS_HANDOVERS,
    CUSTOMERS,
    PAGE_VIEWS,
    PURCHASES,
    Topic,
    identity_hash,
)
from tabiji_common.users import Users

NOW = datetime(2024, 1, 10, tzinfo=UTC)
WHO: dict[str, Any] = {"workspace": "demo", "customer": "ann"}
ID = identity_hash("demo", "shop", "e1")


def received(topic: Topic[Any], body: Any, id_: str = "e1", offset: int = 0) -> Received:
    made = topic.record(body, id=id_, source="shop", occurred_at=NOW, accepted_at=NOW)
    return Received(topic.name, 3, offset, NOW, made.key, id_, made.type, "shop", NOW, NOW, made.mode, "", made.value())


def said(state: str, token: int = 1, day: int = 1) -> Concluded:
    key = f"{state}{token}{day}".encode()
    return Concluded(key, datetime(2024, 1, day, tzinfo=UTC), "m", state, "f2", 1, "n", "thanks", token=token)


def test_an_order_is_known_by_its_shop_and_id() -> None:
    body = events.OrderCompleted(**WHO, order_id="7", amount_minor=100, currency="JPY", medium="cpc")

    assert list(facts_in(body, ID, "order_completed", NOW)) == [
        OrderPlaced(order_key("demo", "7"), "7", NOW, 100, "JPY", "cpc")
    ]
    assert order_key("demo", "7") != order_key("demo7", "")


def test_a_refund_without_an_id_is_known_by_its_event() -> None:
    body = events.OrderRefunded(**WHO, order_id="7", amount_minor=5)
    with_id = events.OrderRefunded(**WHO, order_id="7", amount_minor=5, refund_id="a")

    (refund,) = facts_in(body, ID, "order_refunded", NOW)
    (named,) = facts_in(with_id, ID, "order_refunded", NOW)
    assert isinstance(refund, RefundGiven)
    assert isinstance(named, RefundGiven)
    assert refund.key == ID
    assert named.key != ID


def test_any_event_with_a_medium_is_a_touch() -> None:
    seen = events.PageViewed(**WHO, medium="cpc")
    opened = events.EmailOpened(**WHO, message_key="m", medium="email")

    assert list(facts_in(seen, ID, "page_viewed", NOW)) == [Touched(ID, NOW, "cpc")]
    assert list(facts_in(opened, ID, "email_opened", NOW)) == [
        Engaged(ID, NOW, "email_opened", None, "m"),
        Touched(ID, NOW, "email"),
    ]


def test_what_the_journey_suppressed_is_an_outcome_that_dispatch_overrules() -> None:
    body = commands.Transition(
        **WHO, enrollment="n", journey="f2", version=2, kind="suppressed", at=NOW, to_state="thanks",
        reason="holdout", message_key="m",
    )  # fmt: skip

    moved, outcome = facts_in(body, ID, "transition", NOW)
    assert isinstance(moved, Moved)
    assert isinstance(outcome, Concluded)
    assert (outcome.state, outcome.reason, outcome.send_state, outcome.token) == ("suppressed", "holdout", "thanks", -1)
    truth = messages.truth([outcome, said("unknown", token=0)])
    assert truth is not None
    assert truth.state == "unknown"


@pytest.mark.parametrize(
    "when", [datetime(1969, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_a_date_that_no_view_can_hold_is_refused(when: datetime) -> None:
    with pytest.raises(Reject, match="1970 and 2100"):
        list(facts_in(events.PageViewed(**WHO), ID, "page_viewed", when))


def test_events_without_a_fact_say_nothing_but_whose_id_it_is() -> None:
    users = Users()
    assert read(received(ANALYTICS_COMMANDS, commands.UnparkAnalytics(**WHO)), users) is None
    assert users.new == {}
    assert read(received(PAGE_VIEWS, events.PageViewed(**WHO, product_id="p")), users) is None
    assert read(received(CUSTOMERS, events.ConsentGiven(**WHO, channel="email")), users) is None
    assert list(users.new) == ["demo:ann"]


def test_a_segment_ends_where_an_erased_customer_comes_back() -> None:
    def bought(n: int, customer: str) -> Received:
        body = events.OrderCompleted(
            workspace="demo", customer=customer, order_id=str(n), amount_minor=1, currency="JPY"
        )
        return received(PURCHASES, body, f"e{n}")

    gone = received(CUSTOMERS, events.Erased(**WHO), "gone")
    readings = [
        read(one, Users()) for one in (bought(1, "ann"), gone, bought(2, "bob"), bought(3, "ann"), bought(4, "ann"))
    ]
    cut = list(segments(reading for reading in readings if reading))

    assert [[reading.received.id for reading in segment] for segment in cut] == [["e1", "gone", "e2"], ["e3", "e4"]]
    assert list(segments([])) == []


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([said("unknown")], "unknown"),
        ([said("unknown", day=2), said("sent", day=1)], "sent"),
        ([said("unknown"), said("failed")], "failed"),
        ([said("sent", token=1), said("unknown", token=2)], "unknown"),
        ([said("unknown", token=1), said("sent", token=2)], "sent"),
        ([said("delivered", token=0), said("sent", token=4)], "delivered"),
        ([said("suppressed", token=-1), said("failed", token=0)], "failed"),
    ],
)
def test_the_newest_attempts_best_knowledge_is_the_truth(outcomes: list[Concluded], state: str) -> None:
    for told in (outcomes, outcomes[::-1]):
        truth = messages.truth(told)
        assert truth is not None
        assert truth.state == state


def test_reactions_before_any_outcome_count_nowhere_yet() -> None:
    assert messages.contribution([], [Engaged(b"1", NOW, "email_opened", None, "m")]) == {}


@pytest.mark.parametrize(
    ("kind", "from_state", "to_state", "steps"),
    [
        ("entered", None, "a", {("entered", "a"), ("reached", "a")}),
        ("moved", "a", "b", {("left", "a"), ("reached", "b"), ("way", "b")}),
        ("finished", "a", "end", {("left", "a"), ("finished", "end"), ("way", "end")}),
        ("exited", "a", None, {("left", "a"), ("exited", "a")}),
        ("converted", "a", None, {("converted", "a")}),
        ("suppressed", "a", "a", {("suppressed", "a")}),
        ("corrected", "a", None, {("corrected", "a")}),
    ],
)
def test_every_kind_of_transition_counts_in_its_steps(
    kind: str, from_state: str | None, to_state: str | None, steps: set[tuple[str, str]]
) -> None:
    moved = Moved(b"k", NOW, "n", "f2", 1, kind, from_state, to_state)

    assert {(cell[4], cell[5]) for cell in funnel.cells(moved)} == steps


def test_facts_survive_a_handover() -> None:
    facts: list[Any] = [
        OrderPlaced(b"\x00\xff", "7", NOW, -5, "JPY", "cpc"),
        Touched(b"t", NOW, "検索"),
        Engaged(b"e", NOW, "email_opened", "email", "m", machine=True),
        RefundGiven(b"o", b"r", NOW),
    ]

    ((id_, body),) = handover.pack(("demo", "anon"), "ann", facts, 1)
    assert handover.unpack(body) == facts
    assert (body.customer, body.source, body.hops) == ("ann", "anon", 1)
    assert [again for again, _ in handover.pack(("demo", "anon"), "ann", facts, 1)] == [id_]
    assert [other for other, _ in handover.pack(("demo", "anon"), "ann", facts, 2)] != [id_]


def test_a_handover_is_bounded_in_bytes_too() -> None:
    facts = [
        OrderPlaced(order_key("demo", str(n)), str(n) + "x" * 30_000, datetime(2024, 1, 1, tzinfo=UTC), 1, "JPY")
        for n in range(20)
    ]
    bodies = [body for _, body in handover.pack(("demo", "anon"), "ann", facts, 1)]
    assert [fact for body in bodies for fact in handover.unpack(body)] == facts
    assert max(len(msgspec.json.encode(body)) for body in bodies) < 300_000
    assert len(bodies) == 3


def test_a_fact_that_moved_three_times_stays() -> None:
    body = commands.FactsHandover(**WHO, source="x", facts=[{"kind": "cancel", "order": "AAA="}], hops=3)
    reading = read(received(ANALYTICS_HANDOVERS, body), Users())
    assert reading is not None

    batch = Batch().sort([reading], {("demo", "ann"): "bob"})
    assert batch.forwards == {}
    assert list(batch.dropped) == [b"\x00\x00"]


def test_every_view_is_sorted_and_named_by_columns_it_has() -> None:
    for view in VIEWS.values():
        assert set(view.keys) | set(view.order) <= set(view.columns)
        assert view.columns[0] == "workspace"
        assert view.zoned == ("zone" in view.columns)
        assert view.money == ("currency" in view.columns)


def test_a_zone_that_nobody_knows_is_refused_at_the_start() -> None:
    assert AnalyticsSettings(analytics_zones=" Asia/Tokyo, UTC,").zones == ("Asia/Tokyo", "UTC")
    with pytest.raises(ValueError, match="Asia/Tokio is no zone"):
        AnalyticsSettings(analytics_zones="Asia/Tokio")
