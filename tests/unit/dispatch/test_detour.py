"""Which messages go by another provider."""

from dataclasses import replace

from tabiji_dispatch.domain.carrier import Breaker, Carrier
from tabiji_dispatch.domain.detour import Detour, detours, replaceable
from tabiji_dispatch.domain.outcomes import Result, Unkeyed


def carrier(name: str, *channels: str) -> Carrier:
    return Carrier(name, frozenset(channels), Unkeyed(), Unkeyed())


CARRIERS = {one.name: one for one in (carrier("a", "email", "sms"), carrier("b", "email"), carrier("c", "email"))}


def test_nobody_is_out() -> None:
    assert detours(CARRIERS, frozenset(), {}) == []


def test_the_next_that_works_takes_the_channel_and_a_channel_without_another_waits() -> None:
    assert detours(CARRIERS, frozenset({"a"}), {}) == [Detour("email", "a", "b")]
    assert detours(CARRIERS, frozenset({"a"}), {"b": 0}) == [Detour("email", "a", "c"), Detour("email", "b", "c")]
    assert detours(CARRIERS, frozenset("abc"), {}) == []


def test_a_broken_one_keeps_its_probe_and_a_stopped_one_nothing() -> None:
    assert detours(CARRIERS, frozenset(), {"a": 1}) == [Detour("email", "a", "b", 1)]
    assert detours(CARRIERS, frozenset({"a"}), {"a": 1}) == [Detour("email", "a", "b", 0)]


def test_a_metered_provider_can_be_replaced_where_another_shares_a_channel() -> None:
    email, sms = frozenset({"email"}), frozenset({"sms"})
    metered = [replace(carrier(name), channels=on, quota=5) for name, on in (("a", email), ("b", sms))]
    assert replaceable({one.name: one for one in (*metered, carrier("c", "email"))}) == {"a": 5}


def test_a_breaker_is_broken_from_the_storm_to_the_first_success() -> None:
    breaker = Breaker()
    assert breaker.probes(0) is None
    for _ in range(5):
        breaker.saw(Result.REFUSED, 0)
    assert (breaker.probes(0.5), breaker.probes(2)) == (0, 1)
    breaker.saw(Result.ACCEPTED, 2)
    assert breaker.probes(2) is None
