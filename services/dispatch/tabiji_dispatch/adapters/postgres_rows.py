"""How a row of the ledger becomes a delivery."""

from __future__ import annotations

from typing import Any

from tabiji_dispatch.domain.message import Delivery

DELIVERY = (
    "d.message_key, d.p, d.workspace, d.customer, d.journey, d.version, d.enrollment, d.send_state, d.channel, "
    "d.template, d.class, d.provider, d.decided_at, d.not_after, d.variables, d.priority, d.seen_cluster, "
    "d.seen_customer, d.seen_engagement, d.token, d.attempts, d.in_doubt, d.cancelled, d.first_attempt_at"
)


def delivery_of(row: Any) -> Delivery:
    """The delivery in the first columns of ``row``, selected as ``DELIVERY``."""
    return Delivery(*row[:24])
