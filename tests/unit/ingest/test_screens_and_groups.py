"""Segment's ``screen`` and ``group``: a page of an app, and a customer who belongs to a group."""

from typing import Any

import pytest

from tabiji_ingest.domain.refusal import Refusal
from tests.unit.ingest.support import Door, records_of

TEAM = {"name": "Initech", "plan": "enterprise", "email": "office@example.com", "employees": 329}


def test_a_screen_is_a_page_view_under_its_own_name() -> None:
    (record,) = records_of("screen", userId="u-1", name="Cart", category="Shop", properties={"cart_id": "c-1"})
    assert (record.topic.name, record.type) == ("events.page_view.v1", "page_viewed")
    assert (record.body.name, record.body.cart_id) == ("Cart", "c-1")
    assert record.body.properties == {"cart_id": "c-1", "category": "Shop"}


def test_a_group_is_a_custom_event_with_the_groups_id_and_traits() -> None:
    (record,) = records_of("group", userId="u-1", groupId="g-1", traits={**TEAM, "group_id": "another"})
    assert (record.topic.name, record.type, record.body.name) == ("events.custom.v1", "group_joined", "group_joined")
    assert record.body.properties == {"name": "Initech", "plan": "enterprise", "employees": 329, "group_id": "g-1"}
    assert record.topic.decode(record.type, record.value()) == record.body


def test_what_is_personal_of_a_group_is_not_taken_for_the_customers() -> None:
    (record,) = records_of("group", userId="u-1", groupId="g-1", traits=TEAM)
    assert record.body.pii == {"group": {"email": "office@example.com"}}


def test_the_customers_own_traits_in_the_context_are_not_the_groups() -> None:
    context = {"traits": {"email": "taro@example.com"}}
    (record,) = records_of("group", anonymousId="a-1", groupId=7, context=context)
    assert (record.body.properties, record.body.pii, record.body.anonymous) == ({"group_id": "7"}, {}, True)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"userId": "u-1"}, "groupId"),
        ({"userId": "u-1", "groupId": ""}, "groupId"),
        ({"userId": "u-1", "groupId": ["g"]}, "groupId"),
        ({"userId": "u-1", "groupId": "g" * 257}, "groupId"),
        ({"groupId": "g-1"}, "userId"),
        ({"userId": "u-1", "groupId": "g-1", "traits": []}, "traits"),
        ({"userId": "u-1", "groupId": "g-1", "traits": {"email": 5}}, "traits.email"),
    ],
)
def test_a_group_without_an_id_or_a_member_is_refused(event: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        records_of("group", **event)
    assert refused.value.field == field


async def test_both_are_taken_in_a_batch_and_made_ids_are_told() -> None:
    door = Door()
    events = [
        {"type": "screen", "userId": "u-1", "name": "Home", "messageId": "m-1"},
        {"type": "group", "userId": "u-1", "groupId": "g-1"},
    ]
    told = (await door.post("/v1/batch", {"batch": events})).json()
    assert (told["accepted"], told["rejected"]) == (2, [])
    assert told["made"] == [{"index": 1, "messageId": door.log.records[1].id}]
    assert door.types == ["page_viewed", "group_joined"]
