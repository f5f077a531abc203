"""The clock's guard: what business time is believed as the wall's clock is set forward and back."""

from datetime import UTC, datetime, timedelta

from tabiji_common.clock import LiveClock, SteppedClock
from tabiji_common.clock_guard import ClockGuard

START = datetime(2026, 4, 1, tzinfo=UTC)


class Set(LiveClock):
    """Both clocks go on together with ``pass_``; ``ahead`` is what somebody set."""

    def __init__(self) -> None:
        self.seconds, self.ahead = 0.0, 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.ahead)

    def elapsed(self) -> float:
        return 100 + self.seconds


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_time_that_passes_is_believed_however_long_nobody_looked() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    for seconds in (1, 2, 3600, 86400 * 40):
        clock.seconds = seconds
        seen = guard.look()
        assert (seen.now, seen.until, seen.leapt) == (after(seconds), after(seconds), False)


def test_a_minute_ahead_is_believed_and_more_is_not() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    clock.ahead = 60
    assert guard.look().until == after(60)
    clock.ahead = 120
    assert guard.look().until == after(120), "a minute beyond what was believed"
    clock.ahead = 181
    assert guard.look().leapt


def test_after_a_leap_timers_stand_still_and_now_goes_on_at_the_machines_pace() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    clock.seconds = 10
    guard.look()
    clock.ahead = 86400
    for seconds in (11, 20, 7200):
        clock.seconds = seconds
        seen = guard.look()
        assert (seen.now, seen.until, seen.leapt) == (after(seconds), after(10), True)


def test_a_clock_that_comes_back_is_believed_again() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    clock.ahead = 3600
    assert guard.look().leapt
    clock.seconds, clock.ahead = 50, 0
    assert guard.look().until == after(50)
    assert not guard.accept()


def test_an_accepted_leap_is_the_new_line_for_the_next_one() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    clock.ahead = 3600
    assert guard.look().leapt
    assert guard.accept()
    assert guard.look().until == after(3600)
    clock.ahead = 7300
    assert guard.look().leapt


def test_a_step_back_is_followed_and_the_way_back_to_the_line_is_no_leap() -> None:
    clock = Set()
    guard = ClockGuard(clock)
    guard.look()
    clock.ahead = -3600
    assert guard.look().until == after(-3600)
    clock.ahead = 0
    assert not guard.look().leapt
    clock.ahead = 100
    assert guard.look().leapt


def test_a_stepped_clock_may_leap_as_it_likes() -> None:
    clock = SteppedClock(START)
    guard = ClockGuard(clock)
    clock.step(START + timedelta(days=3650))
    assert guard.look().until == clock.now()
    assert not guard.accept()
