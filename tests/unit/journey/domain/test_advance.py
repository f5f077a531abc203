"""How an enrollment moves: sends and their outcomes, waits, exits, goals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tabiji_journey.domain.model import OutcomeInput, TimerInput
from tests.unit.journey.domain.letter import LETTER, MAIL, sent_out
from tests.unit.journey.domain.road import DAY, HOUR, START, Road


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("sent", "opened"), ("delivered", "opened"), ("suppressed", "quiet"), ("failed", "broken")],
)
def test_a_send_is_left_on_its_outcome(outcome: Any, state: str) -> None:
    road = sent_out()
    assert road.only.state == "mail"
    road.tell(outcome, reason="because")
    assert road.only.state == state
    assert road.moves[-1].cause == "outcome"


def test_by_default_every_outcome_leads_to_next() -> None:
    for outcome in ("sent", "suppressed", "failed"):
        road = Road("""
id: plain
enter: {on: hello}
start: mail
states:
  mail: {send: {channel: email, template: letter}, next: done}
  done: {end: true}
""")
        road.outcome = outcome
        road.event("hello")
        assert road.only.status == "finished"


def test_an_unknown_outcome_waits_a_while_for_the_truth_and_then_takes_its_edge() -> None:
    road = sent_out()
    road.tell("unknown")
    assert road.only.timer is not None
    assert road.only.timer.kind == "unknown_wait"
    road.wait(HOUR)
    assert (road.only.state, road.moves[-1].reason) == ("lost", "unknown")


def test_an_unknown_outcome_that_turns_out_in_time_takes_the_edge_of_the_truth() -> None:
    road = sent_out()
    road.tell("unknown")
    road.now += HOUR / 2
    road.tell("sent")
    assert road.only.state == "opened"


def test_the_deadline_lies_after_not_after_and_emits_a_cancel() -> None:
    road = sent_out()
    (send,) = road.sends
    timer = road.only.timer
    assert timer is not None
    assert START + timedelta(hours=11) < send.not_after < timer.due_at
    road.wait(timer.due_at - START)
    assert road.only.state == "broken"
    assert [(cancel.message_key, cancel.reason) for cancel in road.cancels] == [(send.message_key, "deadline")]
    assert road.moves[-1].reason == "failed: deadline"


def test_an_outcome_after_the_deadline_corrects_the_count_and_moves_nobody() -> None:
    road = sent_out()
    road.wait(3 * DAY)
    road.tell("sent")
    assert (road.only.state, road.only.status) == ("broken", "finished")
    assert (road.moves[-1].kind, road.moves[-1].reason) == ("corrected", "sent")
    assert road.only.messages["mail"].outcome == "sent"
    before = road.only
    for later in ("failed", "unknown", "suppressed", "delivered"):
        road.tell(later)
    assert road.only == before


def test_an_outcome_of_a_message_that_is_not_ours_changes_nothing() -> None:
    road = sent_out()
    before = road.only
    assert road.apply(before, OutcomeInput("another", "sent", START)) == before


def test_a_holdout_customer_is_suppressed_without_a_command_and_moves_on_at_once() -> None:
    road = Road(LETTER.format(holdout="100%"))
    road.event("hello")
    assert road.sends == []
    assert [(moved.kind, moved.reason) for moved in road.moves] == [
        ("entered", ""),
        ("suppressed", "holdout"),
        ("finished", "suppressed: holdout"),
    ]
    assert all(moved.holdout for moved in road.moves)
    road.now += DAY
    road.event("bought")
    assert road.only.goal_at == road.now


def test_a_timer_fired_too_late_suppresses_its_send_and_the_journey_goes_on() -> None:
    road = Road("""
id: late
enter: {on: hello}
start: rest
states:
  rest: {wait: {for: 1d}, next: mail}
  mail: {send: {channel: email, template: letter}, next: again}
  again: {wait: {for: 1d}, next: done}
  done: {end: true}
""")
    road.event("hello")
    due = START + DAY
    road.now = due
    road.apply(road.only, TimerInput(due, "wake", road.only.visit, fired_at=due + timedelta(hours=36)))
    assert road.sends == []
    assert road.only.state == "again"
    assert ("suppressed", "late") in [(moved.kind, moved.reason) for moved in road.moves]


def test_an_open_ends_the_wait_and_a_machines_open_does_not() -> None:
    road = sent_out()
    road.tell("sent")
    key = road.sends[0].message_key
    road.event("email_opened", message_key=key, machine=True)
    assert road.only.state == "opened"
    road.event("email_opened", message_key="of another message")
    assert road.only.state == "opened"
    road.event("email_opened", message_key=key)
    assert road.only.state == "read"


def test_an_open_that_is_read_before_the_outcome_ends_the_wait_at_once() -> None:
    road = sent_out()
    road.event("email_opened", message_key=road.sends[0].message_key)
    assert road.only.state == "mail"
    road.tell("sent")
    assert road.only.state == "read"
    assert road.moves[-1].cause == "event"


def test_the_wait_of_a_message_counts_from_when_it_was_sent() -> None:
    road = sent_out()
    road.now += 5 * HOUR
    sent = OutcomeInput(road.sends[0].message_key, "sent", START + HOUR)
    road.apply(road.only, sent)
    assert road.only.timer is not None
    assert road.only.timer.due_at == START + HOUR + 3 * DAY


def test_the_wait_of_a_message_that_was_not_sent_counts_from_entering_the_wait() -> None:
    road = Road(
        MAIL.replace("on_failed: broken", "on_failed: opened").replace("  broken: {end: true}\n", ""), outcome=None
    )
    road.event("hello")
    road.now += 5 * HOUR
    road.tell("failed")
    assert road.only.timer is not None
    assert road.only.timer.due_at == START + 5 * HOUR + 3 * DAY


def test_an_exit_interrupts_any_state_with_a_cancel_where_a_send_is_out() -> None:
    road = sent_out()
    road.event("goodbye")
    assert (road.only.status, road.only.exit_reason, road.only.timer) == ("exited", "left", None)
    assert [cancel.reason for cancel in road.cancels] == ["exited"]
    after_outcome = sent_out()
    after_outcome.tell("sent")
    after_outcome.event("goodbye")
    assert after_outcome.only.exit_reason == "left"
    assert after_outcome.cancels == []


def test_an_exit_event_older_than_the_trigger_is_no_exit() -> None:
    road = sent_out()
    road.event("goodbye", at=START - HOUR)
    assert road.only.status == "waiting"


@pytest.mark.parametrize(("mode", "status"), [("backfill", "exited"), ("replay", "exited")])
def test_imported_history_exits_but_ends_no_wait(mode: str, status: str) -> None:
    road = sent_out()
    road.tell("sent")
    road.event("email_opened", message_key=road.sends[0].message_key, mode=mode)
    assert road.only.state == "opened"
    road.event("goodbye", mode=mode)
    assert road.only.status == status


def test_the_goal_counts_once_in_time_and_after_the_end_and_moves_nobody() -> None:
    road = sent_out()
    road.tell("failed")
    assert road.only.status == "finished"
    road.now += 9 * DAY
    road.event("bought")
    road.event("bought")
    assert [moved.kind for moved in road.moves].count("converted") == 1
    assert road.only.state == "broken"
    late = sent_out()
    late.now += 11 * DAY
    late.event("bought")
    assert late.only.goal_at is None
