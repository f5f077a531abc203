"""Requests that the OpenAPI document shows: each is taken whole as it stands, with a write key put in."""

from __future__ import annotations

from typing import Any

Examples = dict[str, dict[str, Any]]

KEY = "YOUR_WRITE_KEY"
_WHO = {"messageId": "3c1e4f0a-1", "userId": "c-1"}
_PAID = {"order_id": "o-1", "total": 4980, "currency": "JPY", "products": [{"product_id": "tea-1", "quantity": 2}]}
_TRAITS = {"email": "hanako@example.com", "name": "山田 花子", "timezone": "Asia/Tokyo"}
_SHIPPED = {
    "specversion": "1.0",
    "id": "shipment-1",
    "source": "warehouse",
    "type": "order_shipped",
    "subject": "c-1",
    "time": "2026-03-31T09:00:00+09:00",
    "data": {"order_id": "o-1"},
}
_CAPTURE = {"event": "Order Completed", "distinct_id": "c-1", "uuid": "3c1e4f0a-2", "properties": _PAID}


def _one(name: str, value: Any) -> Examples:
    return {name: {"value": value}}


ORDER = {**_WHO, "event": "Order Completed", "properties": _PAID}
CONSENT = {**_WHO, "messageId": "3c1e4f0a-3", "event": "Consent Given", "properties": {"channel": "email"}}
IDENTIFY = {**_WHO, "messageId": "3c1e4f0a-4", "anonymousId": "a-1", "traits": _TRAITS}
VISIT = {"messageId": "3c1e4f0a-5", "anonymousId": "a-1", "name": "Home"}

EXAMPLES: dict[str, dict[str, Examples]] = {
    "track": {"application/json": _one("order", ORDER) | _one("consent", CONSENT)},
    "identify": {"application/json": _one("customer", IDENTIFY)},
    "page": {"application/json": _one("visitor", VISIT)},
    "screen": {"application/json": _one("visitor", VISIT)},
    "group": {"application/json": _one("team", {**_WHO, "groupId": "g-1", "traits": {"plan": "gold"}})},
    "alias": {"application/json": _one("visitor", {**_WHO, "previousId": "a-1"})},
    "batch": {
        "application/json": _one(
            "first events",
            {"batch": [{"type": "identify", **IDENTIFY}, {"type": "track", **CONSENT}, {"type": "track", **ORDER}]},
        )
    },
    "events": {
        "application/cloudevents+json": _one("structured", _SHIPPED),
        "application/cloudevents-batch+json": _one("batch", [_SHIPPED]),
    },
    "posthog": {
        "application/json": _one("one event", {"api_key": KEY, **_CAPTURE})
        | _one("batch", {"api_key": KEY, "batch": [_CAPTURE]})
    },
}
"""By route and media type."""
