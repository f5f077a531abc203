"""One client's call, whichever protocol it came by, and what is the same for all calls of a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import field

from tabiji_common.topics import Mode

CallKind = Literal["track", "identify", "page", "screen", "group", "alias"]


@dataclass(frozen=True, slots=True)
class Names:
    """What a protocol calls the parts that a refusal may have to name."""

    user: str
    anonymous: str
    previous: str
    id: str
    name: str
    time: str
    properties: str
    traits: str
    group: str = "groupId"
    sent: str = "sentAt"


class Call(msgspec.Struct, frozen=True):
    """What a client says, not yet checked: ids, times and amounts are as received.

    ``body_hash`` is the same whenever the client sends this event again. What is made for every event is one of
    msgspec's structs: a frozen dataclass of this width takes five times as long.
    """

    kind: CallKind
    source: str
    names: Names
    body_hash: str
    name: str = ""
    id: Any = None
    user: Any = None
    anonymous: Any = None
    previous: Any = None
    group: Any = None
    time: Any = None
    sent_at: Any = None
    properties: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """When and for whom a request was taken; ``id`` is unlike any other request's."""

    workspace: str
    accepted_at: datetime
    mode: Mode
    id: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation decides.

    secret    key of guests' ids
    currency  of amounts that name none
    plain     traits that are not personal, spelled without case, underscores and hyphens
    stepped   time is simulated, so events may lie ahead of it
    """

    secret: str
    currency: str
    plain: frozenset[str]
    stepped: bool = False
