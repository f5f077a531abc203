"""What interrupts an enrollment, what it carries, and what does not concern it."""

from __future__ import annotations

from tabiji_common.topics import derived_id
from tabiji_journey.domain.advance import withdraw
from tabiji_journey.domain.model import TimerInput
from tests.unit.journey.domain.letter import MAIL, sent_out
from tests.unit.journey.domain.road import DAY, Road, Shopper, stored


def test_a_stale_timer_does_nothing() -> None:
    road = sent_out()
    timer = road.only.timer
    assert timer is not None
    stale = TimerInput(timer.due_at, "deadline", road.only.visit)
    road.tell("sent")
    before = road.only
    assert road.apply(before, stale) == before


def test_a_deadline_that_an_unknown_outcome_has_replaced_does_nothing() -> None:
    road = sent_out()
    timer = road.only.timer
    assert timer is not None
    road.tell("unknown")
    before = road.only
    assert road.apply(before, TimerInput(timer.due_at, "deadline", before.visit)) == before
    assert road.only.timer is not None
    assert road.apply(before, TimerInput(timer.due_at, "unknown_wait", before.visit)) == before


def test_a_machines_click_is_neither_an_exit_nor_a_goal() -> None:
    text = MAIL.replace("{on: goodbye, as: left}", "{on: email_clicked, as: left}").replace(
        "on: bought", "on: email_clicked"
    )
    road = Road(text)
    road.event("hello")
    road.event("email_clicked", machine=True)
    assert (road.only.status, road.only.goal_at) == ("waiting", None)
    road.event("email_clicked")
    assert (road.only.status, road.only.goal_at) == ("exited", road.now)


def test_every_visit_of_a_send_makes_a_message_with_a_key_of_its_own() -> None:
    road = Road("""
id: weekly
enter: {on: hello}
start: mail
states:
  mail: {send: {channel: email, template: letter}, next: week}
  week: {wait: {for: 7d}, next: mail}
""")
    road.event("hello")
    road.wait(21 * DAY)
    keys = [send.message_key for send in road.sends]
    assert len(set(keys)) == len(keys) == 4
    enrollment = derived_id("shop", "weekly", "hana", "")
    assert keys[1] == derived_id(derived_id(enrollment, "mail", "3"), "email", "0")


def test_a_condition_that_cannot_be_evaluated_exits_definition_error_with_a_cancel() -> None:
    road = Road(MAIL.replace("{on: goodbye, as: left}", '{on: goodbye, when: "event.a > 1", as: left}'), outcome=None)
    road.event("hello")
    road.event("goodbye")
    assert (road.only.status, road.only.exit_reason) == ("exited", "definition_error")
    assert len(road.cancels) == 1


def test_a_state_that_the_definition_does_not_have_exits_definition_error() -> None:
    road = sent_out()
    renamed = (
        MAIL.replace("  mail:", "  other:").replace("start: mail", "start: other").replace("of: mail", "of: other")
    )
    road.definition = Road(renamed).definition
    road.tell("sent")
    assert road.only.exit_reason == "definition_error"


def test_a_paused_enrollment_keeps_its_timer_takes_its_message_back_and_goes_on_when_resumed() -> None:
    road = sent_out()
    road.command("pause")
    assert [cancel.reason for cancel in road.cancels] == ["paused"]
    assert road.only.timer is not None
    road.tell("suppressed", reason="paused")
    assert road.only.state == "mail"
    road.command("resume")
    assert road.only.state == "quiet"


def test_a_pause_over_the_due_time_wakes_at_the_resume_not_in_the_past() -> None:
    road = Road(MAIL)
    road.event("hello")
    road.command("pause")
    road.now += 9 * DAY
    assert road.only.status == "waiting"
    road.command("resume")
    assert road.only.timer is not None
    assert road.only.timer.due_at == road.now


def test_an_open_while_paused_ends_the_wait_when_resumed() -> None:
    road = Road(MAIL)
    road.event("hello")
    road.command("pause")
    road.event("email_opened", message_key=road.sends[0].message_key)
    assert road.only.state == "opened"
    road.command("resume")
    assert road.only.state == "read"


def test_an_exit_command_ends_it_for_the_reason_given() -> None:
    road = Road(MAIL)
    road.event("hello")
    assert road.command("exit", "erased").exit_reason == "erased"


def test_a_held_message_that_could_be_withdrawn_is_suppressed_on_the_record() -> None:
    road = sent_out()
    road.event("goodbye")
    left, moved = withdraw(road.only, road.sends[0].message_key, "exited", road.now)
    assert (moved.kind, moved.reason, moved.seq) == ("suppressed", "exited", road.only.seq + 1)
    assert left.messages["mail"].outcome == "suppressed"


def test_variables_are_constants_and_expressions() -> None:
    road = Road("""
id: variables
enter: {on: hello}
start: mail
states:
  mail:
    send:
      channel: email
      template: letter
      class: transactional
      variables: {percent: 10, size: {cel: trigger.size}, who: {cel: "customer.order_count > 0 ? 'back' : 'new'"}}
    next: done
  done: {end: true}
""")
    road.event("hello", size="L")
    (send,) = road.sends
    assert dict(send.variables) == {"percent": 10, "size": "L", "who": "new"}
    assert send.not_after - send.decided_at == DAY


def test_waits_are_in_the_customers_zone() -> None:
    text = "id: z\nenter: {on: hello}\nstart: w\nstates:\n  w: {wait: {until: '10:00'}, next: d}\n  d: {end: true}\n"
    road = Road(text, profile=Shopper(timezone="Europe/London"))
    road.event("hello")
    timer = road.only.timer
    assert timer is not None
    assert (timer.local, timer.zone) == ("2026-04-06T10:00:00", "Europe/London")


def test_an_enrollment_survives_json() -> None:
    road = sent_out()
    road.tell("sent")
    assert stored(road.only) == road.only
