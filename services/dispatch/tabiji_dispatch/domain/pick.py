"""Of the candidates of a turn: who is sent to, who waits, who gets nothing. Rendering included, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.claim import Case, Controls, Hold, Rules, Suppress, decide
from tabiji_dispatch.domain.consent import Contact, address_field
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.message import MARKETING, Delivery, Intent, Letter
from tabiji_dispatch.domain.quota import next_month, quota_reason, takes
from tabiji_dispatch.domain.render import Shop, Template, Unrenderable, render


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be claimed, with what the decision needs; ``known`` says that there is a contact."""

    delivery: Delivery
    contact: Contact
    known: bool
    frozen: Letter | None = None
    listed: Mapping[str, str] = field(default_factory=dict)
    recent: int = 0

    def address(self) -> str:
        """As frozen at the first attempt, else the contact's; the customer's id where the channel needs no more."""
        if self.frozen is not None:
            return self.frozen.address
        name = address_field(self.delivery.channel)
        return self.delivery.customer if name is None else self.contact.value(name)


@dataclass(frozen=True, slots=True)
class Put:
    """A candidate that is not sent: the move, why, and (holds) the business instant to look again."""

    delivery: Delivery
    move: Move
    reason: str
    until: datetime | None = None


@dataclass(frozen=True)
class Terms:
    """What the installation decides; ``carriers`` by name, ``lease`` in seconds, ``who`` names this process."""

    carriers: Mapping[str, Carrier]
    rules: Rules
    shop: Shop
    lease: float
    who: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on every clock: business time, wall time, machine seconds; and the Kafka cluster we read."""

    now: datetime
    wall: datetime
    elapsed: float
    cluster: str


def pick(
    found: Sequence[Candidate],
    rooms: Mapping[str, int],
    controls: Controls,
    terms: Terms,
    moment: Moment,
    find: Callable[[str], Template],
    quotas: Mapping[str, int] = MappingProxyType({}),
    brakes: Mapping[str, str] = MappingProxyType({}),
) -> tuple[list[Intent], list[Put]]:
    """Intents within ``rooms`` (free slots by provider), and who is put off or withheld; others stay queued.

    ``quotas`` is what metered providers may still take this month, ``brakes`` are reasons to ask a person, by key.
    """
    left, month = dict(rooms), dict(quotas)
    intents: list[Intent] = []
    puts: list[Put] = []
    claimed: dict[str, int] = {}  # marketing of this very turn counts for the cap
    for one in found:
        delivery = one.delivery
        case = _case(replace(one, recent=one.recent + claimed.get(delivery.customer_key, 0)), terms, moment)
        match decide(case, controls, terms.rules, moment.cluster, moment.now):
            case Hold(reason, until):
                puts.append(Put(delivery, Move.HOLD, reason, _look_again(delivery, reason, until)))
            case Suppress(reason):
                puts.append(Put(delivery, Move.DOUBT if delivery.in_doubt else Move.SUPPRESS, reason))
            case _ if asks := brakes.get(delivery.key):
                puts.append(Put(delivery, Move.HOLD, asks, _look_again(delivery, asks, None)))
            case _ if takes(delivery, month) and month[delivery.provider] <= 0:
                reason = quota_reason(delivery.provider)
                puts.append(Put(delivery, Move.HOLD, reason, _look_again(delivery, reason, next_month(moment.now))))
            case _ if left.get(delivery.provider, 0) > 0:
                try:
                    intents.append(_intent(one, terms, moment, find))
                except Unrenderable:
                    puts.append(Put(delivery, Move.FAIL, "template"))
                    continue
                left[delivery.provider] -= 1
                if takes(delivery, month):
                    month[delivery.provider] -= 1
                if delivery.message_class == MARKETING:
                    claimed[delivery.customer_key] = claimed.get(delivery.customer_key, 0) + 1
            case _:
                pass
    return intents, puts


def _look_again(delivery: Delivery, reason: str, until: datetime | None) -> datetime | None:
    """When the hold ends or the message is late, whichever is first; in restore mode nothing is due."""
    if reason == "restore":
        return None
    late = delivery.not_after + delivery.not_after.resolution
    return late if until is None else min(until, late)


def _case(one: Candidate, terms: Terms, moment: Moment) -> Case:
    delivery = one.delivery
    carrier = terms.carriers.get(delivery.provider)
    first = delivery.first_attempt_at
    return Case(
        delivery=delivery,
        address=one.address(),
        zone=one.contact.value("timezone"),
        consents=one.contact.consents,
        erased_at=one.contact.erased_at,
        known=one.known,
        listed=one.listed,
        recent=one.recent,
        age=(moment.wall - first).total_seconds() if first else 0.0,
        capability=carrier.capability(delivery.message_class) if carrier else None,
    )


def _intent(one: Candidate, terms: Terms, moment: Moment, find: Callable[[str], Template]) -> Intent:
    delivery = one.delivery
    letter = one.frozen or render(
        find(delivery.template),
        delivery,
        terms.shop,
        address=one.address(),
        name=one.contact.value("name"),
        now=moment.now,
    )
    first = delivery.first_attempt_at or moment.wall
    return Intent(replace(delivery, first_attempt_at=first), letter, delivery.token + 1, moment.elapsed, terms.lease)
