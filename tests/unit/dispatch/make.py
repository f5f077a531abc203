"""Values that many tests of the domain start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tabiji_dispatch.domain.claim import Case
from tabiji_dispatch.domain.consent import Consent
from tabiji_dispatch.domain.message import Delivery

NOON = datetime(2024, 5, 1, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
HOUR = timedelta(hours=1)
DELIVERY = Delivery(
    key="m1",
    p=0,
    workspace="demo",
    customer="c1",
    journey="f2",
    version=1,
    enrollment="e1",
    send_state="thanks",
    channel="email",
    template="f2/thanks",
    message_class="marketing",
    provider="smtp",
    decided_at=NOON,
    not_after=NOON + 24 * HOUR,
)


def delivery(**changes: Any) -> Delivery:
    return replace(DELIVERY, **changes)


def case(of: Delivery = DELIVERY, **changes: Any) -> Case:
    """A customer with an address who agreed to e-mail."""
    consents = {"email": Consent(given=True, at=NOON - HOUR)}
    return replace(Case(delivery=of, address="c1@example.com", zone="Asia/Tokyo", consents=consents), **changes)
