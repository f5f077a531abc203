"""Links of messages: pixel and click always answer, unsubscribing acts on POST only, nothing leads astray."""

import asyncio
from datetime import timedelta

import pytest

from tabiji_common.links import Link, sign
from tabiji_ingest.pipeline import REQUEST_BYTES
from tests.unit.ingest.support import SECRET, Door

PERSON = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Safari/537.36"}
SCANNER = {"User-Agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"}


def token(kind: str, url: str = "", secret: str = SECRET) -> str:
    return sign(secret, Link(kind, "demo", "u-1", "k-1", url=url))


async def test_a_fetched_pixel_is_an_open() -> None:
    door = Door()
    answer = await door.http.get(f"/o/{token('o')}", headers=PERSON)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert "no-store" in answer.headers["cache-control"]
    (record,) = door.log.records
    assert (record.type, record.key, record.source) == ("email_opened", "demo:u-1", "tabiji/link")
    assert (record.body.message_key, record.body.channel, record.body.machine) == ("k-1", "email", False)


async def test_a_followed_link_is_a_click_and_leads_where_it_was_signed_for() -> None:
    door = Door()
    answer = await door.http.get(f"/c/{token('c', 'https://shop.example.com/a?b=1#c')}", headers=PERSON)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example.com/a?b=1#c")
    (record,) = door.log.records
    assert (record.type, record.body.url) == ("email_clicked", "https://shop.example.com/a?b=1#c")


async def test_a_machines_open_is_kept_and_marked() -> None:
    door = Door()
    await door.http.get(f"/o/{token('o')}", headers=SCANNER)
    await door.http.head(f"/c/{token('c', 'https://shop.example.com')}", headers=PERSON)
    assert [record.body.machine for record in door.log.records] == [True, True]


async def test_repeats_within_a_minute_are_one_event_and_a_scanner_hides_no_person() -> None:
    door = Door()
    link = f"/o/{token('o')}"
    for headers in (SCANNER, PERSON, PERSON):
        await door.http.get(link, headers=headers)
    machine, person, again = (record.id for record in door.log.records)
    assert person == again != machine
    door.clock.step(door.clock.now() + timedelta(minutes=1))
    await door.http.get(link, headers=PERSON)
    assert door.log.records[-1].id not in {machine, person}


async def test_pixel_and_click_answer_without_kafka() -> None:
    door = Door(link_ack_seconds=0.05)
    for state in ("broken", "mute"):
        setattr(door.log, state, True)
        assert (await door.http.get(f"/o/{token('o')}")).status_code == 200
        assert (await door.http.get(f"/c/{token('c', 'https://shop.example.com')}")).status_code == 302
        setattr(door.log, state, False)
    assert door.log.records == []


async def test_links_take_room_in_flight_too() -> None:
    door = Door(link_ack_seconds=0.1, ack_seconds=0.1, max_flight_bytes=REQUEST_BYTES + 1000)
    door.log.acks.clear()
    assert (await door.http.get(f"/o/{token('o')}")).status_code == 200
    assert (await door.http.get(f"/c/{token('c', 'https://shop.example.com')}")).status_code == 302
    assert (await door.http.post(f"/u/{token('u')}")).status_code == 503
    door.log.acks.set()
    await asyncio.sleep(0.01)
    assert door.types == ["email_opened"], "it was on its way, and what nobody waited for came after all"
    assert (await door.http.post(f"/u/{token('u')}")).status_code == 200


async def test_the_unsubscribe_page_changes_nothing_and_its_button_does() -> None:
    door = Door()
    link = f"/u/{token('u')}"
    page = await door.http.get(link)
    assert page.status_code == 200
    assert "配信停止" in page.text
    assert "Unsubscribe" in page.text
    assert '<form method="post">' in page.text
    assert door.log.records == []
    assert (await door.http.post(link)).status_code == 200
    assert door.types == ["unsubscribed"]


async def test_each_one_click_is_an_event_of_its_own_for_a_consent_may_have_been_given_between() -> None:
    door = Door()
    for _ in range(2):
        answer = await door.http.post(f"/u/{token('u')}", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        door.clock.step(door.clock.now() + timedelta(seconds=20))
    first, again = door.log.records
    assert first.id != again.id
    assert (first.key, first.body.channel) == ("demo:u-1", "email")


async def test_unsubscribing_without_kafka_is_503_since_it_must_not_be_lost() -> None:
    door = Door()
    door.log.broken = True
    answer = await door.http.post(f"/u/{token('u')}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example.com", "data:text/html,x", "", "/relative", "ftp://x"]
)
async def test_a_link_that_leads_to_no_web_address_is_404(url: str) -> None:
    door = Door()
    answer = await door.http.get(f"/c/{token('c', url)}")
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "bad",
    ["x", token("o", secret="another"), token("c", "https://evil.example.com", secret=""), token("c")[:-2] + "xx",
     token("u")],
)  # fmt: skip
async def test_a_link_that_we_did_not_sign_does_nothing(bad: str) -> None:
    door = Door()
    assert (await door.http.get(f"/o/{bad}")).status_code == 200
    assert (await door.http.get(f"/c/{bad}")).status_code == 404
    if bad != token("u"):
        assert (await door.http.get(f"/u/{bad}")).status_code == 404
        assert (await door.http.post(f"/u/{bad}")).status_code == 404
    assert door.log.records == []


async def test_no_parameter_turns_a_click_elsewhere() -> None:
    door = Door()
    link = f"/c/{token('c', 'https://shop.example.com/')}?url=https://evil.example.com&u=//evil.example.com"
    assert (await door.http.get(link)).headers["location"] == "https://shop.example.com/"
