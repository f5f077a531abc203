"""Messages in Segment's format, as bytes: what a shop's SDK would post."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from tabiji_ingest.domain.money import EXPONENTS

_JSON = msgspec.json.Encoder(decimal_format="number")
BATCH_EVENTS = 1000
BATCH_BYTES = 400_000


def identify(user: str, message_id: str, at: datetime, traits: dict[str, Any], anonymous: str | None = None) -> bytes:
    """An ``identify`` call; with ``anonymous`` the visitor of that id turns out to be ``user``."""
    known = {"userId": user} | ({"anonymousId": anonymous} if anonymous else {})
    return _message("identify", message_id, at, known, {"traits": traits})


def track(
    user: str,
    message_id: str,
    at: datetime,
    event: str,
    properties: dict[str, Any],
    medium: str | None = None,
) -> bytes:
    """A ``track`` call of the event ``event``, from a visit with the campaign ``medium``."""
    body: dict[str, Any] = {"event": event, "properties": properties}
    if medium:
        body["context"] = {"campaign": {"medium": medium}}
    return _message("track", message_id, at, {"userId": user}, body)


def anonymous_page(anonymous: str, message_id: str, at: datetime, name: str, properties: dict[str, Any]) -> bytes:
    """A ``page`` call of a visitor whom nobody knows yet."""
    return _message("page", message_id, at, {"anonymousId": anonymous}, {"name": name, "properties": properties})


def batch(messages: list[bytes]) -> bytes:
    """The body of ``POST /v1/batch``; without ``sentAt``, so that timestamps are taken as they are."""
    return b'{"batch":[' + b",".join(messages) + b"]}"


def major(amount_minor: int, currency: str) -> Decimal:
    """An amount as Segment wants it, in major units: 1234 US cents are 12.34."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def minor(total: Decimal, currency: str) -> int:
    """The inverse of ``major``."""
    return int(total.scaleb(exponent(currency)))


def exponent(currency: str) -> int:
    """How many decimals ``currency`` has."""
    return EXPONENTS.get(currency, 2)


def _message(type_: str, message_id: str, at: datetime, who: dict[str, str], body: dict[str, Any]) -> bytes:
    return _JSON.encode({"type": type_, "messageId": message_id, "timestamp": at.isoformat(), **who, **body})
