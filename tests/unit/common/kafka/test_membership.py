"""A client that has forgotten every broker proves nothing, and ends nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.log import KafkaBoard, KafkaMembership


async def forgotten(*_: Any) -> None:
    raise AssertionError("Did we not perform bootstrap?")  # as aiokafka's client does


async def nothing(*_: Any) -> None:
    pass


def test_membership_is_not_proven_by_it() -> None:
    member = KafkaMembership(Cluster("", "", 1), "toy")
    member._member = SimpleNamespace(commit=forgotten)
    assert not asyncio.run(member.prove(frozenset({0})))


def test_the_gauge_of_the_lag_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def stop() -> None:
        ended.append(True)

    teller = SimpleNamespace(start=nothing, assign=lambda _: None, commit=forgotten, stop=stop)
    monkeypatch.setattr(Cluster, "teller", lambda *_: teller)
    asyncio.run(KafkaBoard(Cluster("", "", 1), "toy").gauge({("t", 0): 1}))
    assert ended
