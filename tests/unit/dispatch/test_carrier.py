"""Rates, breakers and capabilities by class."""

from tabiji_dispatch.domain.carrier import Breaker, Bucket, Carrier
from tabiji_dispatch.domain.outcomes import Keyed, Result, Unkeyed


def test_a_class_has_its_own_policy() -> None:
    carrier = Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(2))
    assert carrier.capability("marketing") == Unkeyed()
    assert carrier.capability("transactional") == Unkeyed(2)
    assert Keyed().fresh(82_799)
    assert not Keyed().fresh(82_800)


def test_a_bucket_fills_with_machine_time_up_to_a_second() -> None:
    bucket = Bucket(10)
    assert bucket.room(100.0) == 10
    bucket.take(10)
    assert bucket.room(100.0) == 0
    assert bucket.room(100.5) == 5
    assert bucket.room(900.0) == 10


def test_a_slow_rate_lets_one_through_now_and_then() -> None:
    bucket = Bucket(0.1)
    assert int(bucket.room(0.0)) == 1
    bucket.take(1)
    assert int(bucket.room(9.0)) == 0
    assert int(bucket.room(10.1)) == 1


def test_no_rate_is_no_limit() -> None:
    bucket = Bucket(0)
    bucket.take(10**6)
    assert bucket.room(0.0) == float("inf")


def test_five_refusals_in_a_row_open_the_breaker_and_one_probe_closes_it() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.saw(Result.REFUSED, 0.0)
    assert breaker.room(0.0) == float("inf")
    breaker.saw(Result.REFUSED, 0.0)
    assert breaker.room(0.5) == 0
    assert breaker.room(1.0) == 1
    breaker.saw(Result.REFUSED, 1.0)
    assert breaker.room(2.5) == 0  # twice as long
    breaker.saw(Result.ACCEPTED, 3.0)
    assert breaker.room(3.1) == float("inf")


def test_the_pause_has_a_limit() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.saw(Result.UNKNOWN, 0.0)
    assert breaker.room(60.0) == 1


def test_being_throttled_pauses_as_told_and_a_bad_address_is_no_failure() -> None:
    breaker = Breaker()
    breaker.saw(Result.THROTTLED, 0.0, 7.0)
    assert (breaker.room(6.9), breaker.room(7.0)) == (0, float("inf"))
    for _ in range(99):
        breaker.saw(Result.PERMANENT, 8.0)
    assert breaker.room(8.0) == float("inf")
