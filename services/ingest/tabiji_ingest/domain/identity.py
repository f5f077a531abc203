"""Whose event it is: which ids are none, and who a guest is."""

from __future__ import annotations

from typing import Any

import msgspec

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


class Who(msgspec.Struct, frozen=True):
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
