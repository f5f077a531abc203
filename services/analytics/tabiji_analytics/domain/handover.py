"""Facts on their way from an anonymous visitor to the customer it turned out to be, or to an order's owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tabiji_analytics.domain.facts import Movable, Who
from tabiji_common.commands import FactsHandover
from tabiji_common.errors import Reject
from tabiji_common.topics import derived_id

MOST_HOPS = 3
FACTS_A_RECORD = 500
BYTES_A_RECORD = 256 * 1024  # of facts; brokers take records of 1 MiB unless told otherwise


def pack(source: Who, target: str, facts: Sequence[Movable], hops: int) -> Iterator[tuple[str, FactsHandover]]:
    """(record id, payload) of handovers of ``facts``; the same facts make the same ids.

    At most 500 facts and 256 KiB of them each, or one fact.
    """
    workspace, customer = source
    for part in _parts(facts):
        plain = [msgspec.to_builtins(fact) for fact in part]
        digest = msgspec.json.encode(plain, order="deterministic").decode()
        id_ = derived_id("facts", workspace, customer, target, str(hops), digest)
        yield id_, FactsHandover(workspace=workspace, customer=target, source=customer, facts=plain, hops=hops)


def _parts(facts: Sequence[Movable]) -> Iterator[list[Movable]]:
    part: list[Movable] = []
    size = 0
    for fact in facts:
        more = len(msgspec.json.encode(fact))
        if part and (len(part) == FACTS_A_RECORD or size + more > BYTES_A_RECORD):
            yield part
            part, size = [], 0
        part.append(fact)
        size += more
    if part:
        yield part


def unpack(handover: FactsHandover) -> list[Movable]:
    """The facts of a handover; raises ``Reject`` where one cannot be read."""
    return [_read(plain) for plain in handover.facts]


def _read(plain: dict[str, Any]) -> Movable:
    try:
        fact: Movable = msgspec.convert(plain, Movable)
    except msgspec.ValidationError as error:
        raise Reject(str(error), "facts") from error
    return fact
