"""Why a request or an event is not taken: the field, the rule, and a kind from a closed set."""

from __future__ import annotations

from enum import StrEnum

from tabiji_common.errors import Reject


class Kind(StrEnum):
    """What sort of rule was broken; the HTTP status and the metric's label follow from it."""

    AUTH = "auth"
    SCOPE = "scope"
    RATE = "rate"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    SLOW = "slow"
    LARGE = "large"
    ENCODING = "encoding"
    MEDIA = "media"
    SHAPE = "shape"
    POISON = "poison"
    TYPE = "type"
    IDENTITY = "identity"
    TIME = "time"
    MONEY = "money"


class Refusal(Reject):
    """Not taken. ``field`` is a path into what the client sent, ``rule`` a sentence that holds no value of it."""

    def __init__(self, field: str, rule: str, kind: Kind = Kind.SHAPE, *, retry_after: int | None = None) -> None:
        super().__init__(rule, field)
        self.kind = kind
        self.retry_after = retry_after
