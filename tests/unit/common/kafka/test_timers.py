"""Which timers a turn may fire: up to its barrier, never beyond the clock, and at a rate."""

from datetime import UTC, datetime, timedelta

from tabiji_common.clock import EPOCH, LiveClock
from tabiji_common.kafka.barrier import Probe
from tabiji_common.kafka.timers import Allowance, Timers
from tests.unit.common.kafka.machine import Machine

START = datetime(2026, 4, 1, tzinfo=UTC)


class Wall(LiveClock):
    def __init__(self) -> None:
        self.seconds, self.ahead = 100.0, 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.ahead)

    def elapsed(self) -> float:
        return self.seconds


def test_a_second_is_worth_the_rate_and_nothing_more_is_saved() -> None:
    clock = Wall()
    allowance = Allowance(clock, 500)
    assert allowance.left() == 500
    allowance.spend(500)
    assert allowance.left() == 0
    clock.seconds += 0.5
    assert allowance.left() == 250
    clock.seconds += 60
    assert allowance.left() == 500
    allowance.spend(700)
    assert allowance.left() == 0, "no debt"


def test_there_is_no_limit_in_simulated_time_or_where_none_is_set() -> None:
    assert Allowance(Machine(), 500).left() is None
    assert Allowance(Wall(), 0).left() is None


def test_a_turn_that_spent_its_budget_leaves_the_rest_to_the_next_second() -> None:
    timers = Timers("unit", Wall(), 500)
    assert timers.firing({}, paused=False).budget == 500
    assert timers.more(500, 400)
    assert not timers.more(100, 100)
    assert timers.more(None, 10_000)


def test_a_barrier_that_was_seen_by_a_leapt_clock_fires_nothing_once_it_has_come_back() -> None:
    clock = Wall()
    timers = Timers("unit", clock, 0)
    clock.ahead = 3600
    probe = Probe(1, clock.now(), {})
    assert timers.firing({0: probe}, paused=False).until == {0: START + timedelta(seconds=100)}
    clock.seconds, clock.ahead = 105, 0
    assert timers.firing({0: probe}, paused=False).until == {0: START + timedelta(seconds=105)}


def test_what_an_event_makes_necessary_has_a_limit_too() -> None:
    clock = Wall()
    timers = Timers("unit", clock, 0)
    clock.seconds += 5
    assert timers.firing({}, paused=False).limit == START + timedelta(seconds=105)
    clock.ahead = 3600
    assert timers.firing({}, paused=False).limit == START + timedelta(seconds=105), "the clock is not believed"
    assert timers.firing({}, paused=True).limit == EPOCH
