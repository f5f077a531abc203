"""The journeys that are shipped: valid, with templates that say what the law asks for, and doing their job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mrml
import pytest
from liquid import Environment

from tabiji_journey.domain.definition import SendState
from tabiji_journey.domain.graph import reachable
from tabiji_journey.domain.identity import in_holdout
from tabiji_journey.domain.loader import load, load_file
from tabiji_journey.domain.model import OutcomeState
from tests.unit.journey.domain.road import DAY, HOUR, START, Road, Shopper

JOURNEYS = Path(__file__).parents[4] / "journeys"
FILES = sorted(JOURNEYS.glob("*.yaml"))
EARLIER = sorted(JOURNEYS.glob("earlier/*.yaml"))
MAILS = sorted(path.parent for path in JOURNEYS.glob("*/*/subject.liquid"))
CHATS = sorted(path.parent for path in JOURNEYS.glob("*/*/body.line.txt"))


def customer_of(text: str, *, holdout: bool = False) -> str:
    definition = Road(text).definition
    return next(name for name in (f"c{n}" for n in range(999)) if in_holdout(definition, name) is holdout)


def road(name: str, *, holdout: bool = False, **settings: Any) -> Road:
    text = (JOURNEYS / f"{name}.yaml").read_text()
    return Road(text, customer=customer_of(text, holdout=holdout), **settings)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_journey_is_valid_reachable_and_has_its_templates(path: Path) -> None:
    definition = load_file(path)
    assert definition.id == path.stem
    assert reachable(definition.states, definition.start) == set(definition.states)


def test_every_template_is_used() -> None:
    used = {
        JOURNEYS / definition.id / state.template
        for definition in (*map(load_file, FILES), *(load(path.read_text()) for path in EARLIER))
        for state in definition.states.values()
        if isinstance(state, SendState)
    }
    assert used == {*MAILS, *CHATS}


@pytest.mark.parametrize("folder", MAILS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", ["山田 花子", ""])
def test_every_template_has_sender_address_contact_and_a_way_out(folder: Path, name: str) -> None:
    values = {
        "customer": {"name": name},
        "shop": {
            "name": "旅路商店",
            "url": "https://shop.example.com",
            "address": "東京都港区芝1-2-3",
            "contact": "https://shop.example.com/contact",
        },
        "unsubscribe_url": "https://t.example.com/u/token",
        "open_pixel": "https://t.example.com/o/token",
        "percent": 10,
        "code": "ARIGATO10",
        "days": 14,
        "product": "急須",
    }
    environment = Environment(autoescape=False)
    environment.add_filter("track", lambda url: f"https://t.example.com/c/{url}")
    subject, text, markup = (
        environment.from_string((folder / part).read_text()).render(**values)
        for part in ("subject.liquid", "body.txt", "body.mjml")
    )
    html = mrml.to_html(markup).content
    assert 5 < len(subject.strip()) <= 40
    for body in (text, html):
        for needed in ("旅路商店", "東京都港区芝1-2-3", "苦情", "https://t.example.com/u/token", "配信停止"):
            assert needed in body
        assert f"{name} 様" in body if name else "お客様" in body
        assert "https://t.example.com/c/https://shop.example.com/" in body
        assert "{{" not in body
        assert "{%" not in body
    assert "https://t.example.com/o/token" in html


@pytest.mark.parametrize("folder", CHATS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", ["山田 花子", ""])
def test_every_line_message_names_the_shop_and_the_way_out_and_is_short(folder: Path, name: str) -> None:
    shop = {"name": "旅路商店", "url": "https://shop.example.com", "contact": "https://shop.example.com/contact"}
    environment = Environment(autoescape=False)
    environment.add_filter("track", lambda url: f"https://t.example.com/c/{url}")
    text = environment.from_string((folder / "body.line.txt").read_text()).render(customer={"name": name}, shop=shop)
    for needed in ("旅路商店", "ブロック", "https://t.example.com/c/https://shop.example.com/", "contact"):
        assert needed in text
    assert f"{name} 様" in text if name else "お客様" in text
    assert len(text) < 500


FIRST = Shopper(order_count=1)


def test_f2_goes_its_whole_way_when_nothing_happens() -> None:
    played = road("f2-conversion", profile=FIRST)
    played.event("order_completed", order_id="o1")
    played.wait(90 * DAY)
    assert played.templates == [
        *("thank-you", "usage-guide", "usage-guide-line", "customer-voices", "coupon", "coupon-reminder"),
    ]
    coupon, reminder = played.sends[-2:]
    assert coupon.variables["code"] == reminder.variables["code"]
    assert (played.only.status, played.only.exit_reason) == ("finished", "done")
    assert [send.channel for send in played.sends] == ["email", "email", "line", "email", "email", "email"]


@pytest.mark.parametrize("outcome", ["suppressed", "failed", "unknown"])
def test_f2_goes_on_for_a_customer_whom_line_does_not_reach(outcome: OutcomeState) -> None:
    played = road("f2-conversion", profile=FIRST, outcome=None)
    played.event("order_completed", order_id="o1")
    while played.only.status == "waiting" and len(played.sends) < 6:
        last = played.sends[-1]
        played.tell(outcome if last.channel == "line" else "sent", last, "no_consent")
        sent = len(played.sends)
        while len(played.sends) == sent:
            played.wait(HOUR)
    assert played.templates[2:4] == ["usage-guide-line", "customer-voices"]


def test_f2_goes_on_with_the_parcel_and_skips_line_when_the_mail_is_opened() -> None:
    played = road("f2-conversion", profile=FIRST)
    played.event("order_completed", order_id="o1")
    played.wait(2 * DAY)
    played.event("order_delivered", order_id="o1")
    guide = played.sends[-1]
    assert guide.decided_at == START + 2 * DAY
    played.wait(HOUR)
    played.event("email_opened", message_key=guide.message_key)
    played.wait(20 * DAY)
    assert "usage-guide-line" not in played.templates
    reviews = played.sends[2]
    assert reviews.decided_at.astimezone(UTC) == datetime(2026, 4, 11, 1, 0, tzinfo=UTC)  # Saturday, 10:00 in Tokyo


def test_f2_ends_at_once_with_the_second_purchase_and_counts_it() -> None:
    played = road("f2-conversion", profile=FIRST)
    played.event("order_completed", order_id="o1")
    played.wait(10 * DAY)
    sent = len(played.sends)
    played.event("order_completed", order_id="o2")
    played.wait(90 * DAY)
    assert (played.only.exit_reason, played.only.goal_at) == ("converted", START + 10 * DAY)
    assert len(played.sends) == sent


def test_f2_sends_a_holdout_customer_nothing_and_measures_it_all_the_same() -> None:
    played = road("f2-conversion", holdout=True, profile=FIRST)
    played.event("order_completed", order_id="o1")
    played.wait(50 * DAY)
    assert played.sends == []
    assert played.only.status == "finished"
    played.event("order_completed", order_id="o2")
    assert played.only.goal_at == START + 50 * DAY


def test_an_abandoned_cart_is_reminded_after_four_hours_and_the_next_day() -> None:
    played = road("abandoned-cart")
    played.event("product_added", cart_id="c1", name="急須")
    played.wait(7 * DAY)
    assert played.templates == ["cart-reminder", "cart-last-call"]
    assert [send.decided_at - START for send in played.sends] == [4 * HOUR, 28 * HOUR]
    assert [send.variables for send in played.sends] == [{"product": "急須"}] * 2
    assert played.only.exit_reason == "abandoned"


@pytest.mark.parametrize(("bought", "mails"), [("c1", 0), (None, 0), ("c2", 2)])
def test_a_purchase_of_the_cart_or_of_none_ends_the_reminders(bought: str | None, mails: int) -> None:
    played = road("abandoned-cart")
    played.event("product_added", cart_id="c1")
    played.wait(HOUR)
    played.event("order_completed", order_id="o1", cart_id=bought)
    played.wait(7 * DAY)
    assert len(played.sends) == mails


def test_both_move_on_where_time_stands_still_between_noon_and_eight_in_the_evening() -> None:
    """Accepted at the last tick, happened after it; timers fire at the next tick."""
    played = road("abandoned-cart")
    played.event("product_added", cart_id="c1", at=START + 5 * HOUR)
    played.event("order_completed", order_id="o1", cart_id="c1", at=START + 6 * HOUR)
    played.wait(8 * HOUR)
    assert played.sends == []
    assert played.only.exit_reason == "purchased"
    later = road("f2-conversion", profile=FIRST)
    later.event("order_completed", order_id="o1", at=START + 5 * HOUR)
    later.wait(90 * DAY)
    assert later.only.status == "finished"
    assert later.sends[1].decided_at == START + 7 * DAY
    assert timedelta() < later.sends[2].decided_at - later.sends[1].decided_at <= 3 * DAY


def test_win_back_offers_after_ninety_days_and_more_after_three_weeks() -> None:
    played = road("win-back")
    played.event("order_completed", order_id="o1")
    played.wait(200 * DAY)
    assert played.templates == ["come-back", "come-back-again"]
    assert [send.decided_at - START for send in played.sends] == [90 * DAY, 111 * DAY]
    assert [send.variables["percent"] for send in played.sends] == [10, 20]
    assert (played.only.status, played.only.exit_reason, played.only.goal_at) == ("finished", "lapsed", None)


def test_win_back_counts_anew_at_every_order() -> None:
    played = road("win-back")
    for n in range(4):
        played.event("order_completed", order_id=f"o{n}")
        played.wait(60 * DAY)
    assert played.sends == []
    assert sorted(one.exit_reason or one.status for one in played.enrollments.values()) == [
        *("purchased",) * 3, "waiting",
    ]  # fmt: skip
    played.wait(31 * DAY)
    assert played.templates == ["come-back"]
    assert played.sends[0].decided_at == START + 270 * DAY


@pytest.mark.parametrize(("days", "converted"), [(89, False), (95, True), (120, True), (151, False)])
def test_win_back_counts_a_purchase_after_the_quiet_time_only(days: int, converted: bool) -> None:
    played = road("win-back")
    played.event("order_completed", order_id="o1")
    first = played.only.id
    played.wait(days * DAY)
    sent = len(played.sends)
    played.event("order_completed", order_id="o2")
    played.wait(80 * DAY)
    assert (played.enrollments[first].goal_at is not None) is converted
    assert len(played.sends) == sent  # the second enrollment waits for its own ninety days


def test_win_back_sends_a_holdout_customer_nothing() -> None:
    played = road("win-back", holdout=True)
    played.event("order_completed", order_id="o1")
    played.wait(200 * DAY)
    assert played.sends == []
    assert played.only.status == "finished"
