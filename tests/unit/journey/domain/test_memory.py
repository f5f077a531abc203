"""What happened is not missed, and not used twice, in whatever order it is read."""

from __future__ import annotations

from tabiji_journey.domain.loader import load
from tabiji_journey.domain.model import EventInput
from tabiji_journey.domain.needs import memory_context, memory_keys, merged
from tests.unit.journey.domain.road import DAY, HOUR, START, Road

DELIVERY = """
id: delivery
enter: {on: order_completed, key: order_id}
start: thanks
states:
  thanks: {send: {channel: email, template: thanks}, next: arrived}
  arrived: {wait: {for: order_delivered, match: order, timeout: 7d}, then: here, on_timeout: lost}
  here: {end: true}
  lost: {end: true}
"""


def test_a_delivery_that_is_read_while_the_mail_is_out_ends_the_wait_at_once() -> None:
    road = Road(DELIVERY, outcome=None)
    road.event("order_completed", order_id="o1")
    road.now += HOUR
    road.event("order_delivered", order_id="o1")
    road.tell("sent")
    assert road.only.state == "here"


def test_the_delivery_of_another_order_does_not() -> None:
    road = Road(DELIVERY)
    road.event("order_completed", order_id="o1")
    road.event("order_delivered", order_id="o2")
    assert road.only.state == "arrived"
    road.event("order_delivered", order_id="o1")
    assert road.only.state == "here"


def test_a_delivery_from_before_the_trigger_ends_nothing() -> None:
    road = Road(DELIVERY)
    road.event("order_completed", order_id="o1")
    road.event("order_delivered", order_id="o1", at=START - HOUR)
    assert road.only.state == "arrived"


TWICE = """
id: twice
enter: {on: hello}
start: once
states:
  once: {wait: {for: viewed, timeout: 1d}, then: again, on_timeout: gone}
  again: {wait: {for: viewed, timeout: 1d}, then: done, on_timeout: gone}
  done: {end: true}
  gone: {end: true}
"""


def test_one_event_ends_one_wait_only() -> None:
    road = Road(TWICE)
    road.event("hello")
    road.event("viewed")
    assert road.only.state == "again"
    road.event("viewed")
    assert road.only.state == "done"


def test_a_wait_may_count_only_what_comes_after_it_began() -> None:
    text = """
id: since
enter: {on: hello}
start: rest
states:
  rest: {wait: {for: 1d}, next: view}
  view: {wait: {for: viewed, since: SINCE, timeout: 1d}, then: done, on_timeout: gone}
  done: {end: true}
  gone: {end: true}
"""
    ends = []
    for since in ("trigger", "wait"):
        road = Road(text.replace("SINCE", since))
        road.event("hello")
        road.now += HOUR
        road.event("viewed")
        road.wait(3 * DAY)
        ends.append(road.only.state)
    assert ends == ["done", "gone"]


def test_a_remembered_event_must_meet_the_condition_too() -> None:
    text = DELIVERY.replace("match: order,", "match: order, when: \"event.carrier == 'A'\",")
    road = Road(text, outcome=None)
    road.event("order_completed", order_id="o1")
    road.event("order_delivered", order_id="o1", carrier="B", colour="red")
    road.tell("sent")
    assert road.only.state == "arrived"
    kept = road.memory.last("order_delivered", ("order", "o1"))
    assert kept is not None
    assert kept.context == {"carrier": "B"}


def test_memory_is_asked_to_keep_what_live_definitions_look_for() -> None:
    needs = merged([load(DELIVERY), load(TWICE)])
    assert set(needs) == {"order_completed", "order_delivered", "hello", "viewed"}
    delivered = EventInput("e", "order_delivered", START, START, {"carrier": "A"}, order_id="o1")
    assert memory_keys(needs, delivered) == (None, ("order", "o1"))
    assert memory_context(needs, delivered) == {}
    assert memory_keys(needs, EventInput("e", "hello", START, START)) == ()
    assert memory_keys(needs, EventInput("e", "never named", START, START)) == ()


def test_an_event_without_the_id_is_kept_under_the_empty_one() -> None:
    needs = merged([load(DELIVERY)])
    assert memory_keys(needs, EventInput("e", "order_delivered", START, START)) == (None, ("order", ""))


def test_machine_opens_are_not_remembered() -> None:
    needs = merged(
        [
            load(
                "id: a\nenter: {on: x}\nstart: m\nstates:\n  m: {send: {channel: email, template: t}, next: w}\n"
                "  w: {wait: {for: email_opened, of: m, timeout: 1d}, then: d, on_timeout: d}\n  d: {end: true}\n"
            )
        ]
    )
    opened = EventInput("e", "email_opened", START, START, message_key="k")
    assert memory_keys(needs, opened) == (("message", "k"),)
    machine = EventInput("e", "email_opened", START, START, message_key="k", machine=True)
    assert memory_keys(needs, machine) == ()
