"""Whose event it is: which ids are none, and who a guest is."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from tabiji_ingest.domain.refusal import Kind, Refusal

MAX_ID = 256

NOBODY = frozenset(
    {
        "", "-1", "0", "[]", "[object object]", "{}", "00000000-0000-0000-0000-000000000000",
        "anonymous", "anonymous_id", "anonymousid", "distinct_id", "distinctid", "email", "false", "guest", "id",
        "n/a", "na", "nan", "nil", "no", "none", "not_authenticated", "null", "true", "undefined", "unknown", "user",
        "user_id", "userid",
    }
)  # fmt: skip
"""What code without an id sends in its place; taken as an id it would make one customer of all. After PostHog's list
("Identifying users", ids that it refuses to merge), with the types' empty values added; compared without case."""

_NOBODYS = "must be the id of one customer: empty, null, guest, 0, undefined and the like are nobody's"
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Who:
    """The customer of an event: the user where known, else the anonymous visitor, else the guest with this address."""

    customer: str
    anonymous: bool
    anonymous_id: str | None = None
    guest_email: str | None = None


def read_id(value: Any, field: str) -> str | None:
    """An id as text, ``None`` where absent (missing or null). Raises ``Refusal`` for what is nobody's."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Refusal(field, "must be a string", Kind.IDENTITY)
    if value.strip().casefold() in NOBODY:
        raise Refusal(field, _NOBODYS, Kind.IDENTITY)
    if len(value) > MAX_ID:
        raise Refusal(field, f"must be at most {MAX_ID} characters", Kind.IDENTITY)
    return value


def looks_like_mail(text: str) -> bool:
    """Whether ``text`` is an e-mail address, as far as an id is concerned."""
    return "@" in text and _MAIL.fullmatch(text.strip()) is not None


def normal_mail(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, no outer space, no capitals."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


def mail_id(secret: str, workspace: str, address: str) -> str:
    """The id of whoever has this address: a keyed hash, since addresses do not travel in keys."""
    text = f"guest\x1f{workspace}\x1f{normal_mail(address)}"
    return "mail_" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def closed_id(text: str, secret: str, workspace: str) -> str:
    """``text``, or its keyed hash where it is an e-mail address."""
    return mail_id(secret, workspace, text) if looks_like_mail(text) else text
