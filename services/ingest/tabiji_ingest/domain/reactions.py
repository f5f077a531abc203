"""Signed links -> what a customer did with a message: opened, clicked, unsubscribed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tabiji_common import events
from tabiji_common.links import Link
from tabiji_common.topics import ENGAGEMENTS, Record, derived_id

SOURCE = "tabiji/link"


def opened(link: Link, token: str, now: datetime, *, machine: bool) -> Record[Any]:
    """The open pixel was fetched."""
    return _record(events.EmailOpened(**_base(link), machine=machine), token, now, *_moment(now, machine))


def clicked(link: Link, token: str, now: datetime, *, machine: bool) -> Record[Any]:
    """A link was followed."""
    body = events.EmailClicked(**_base(link), machine=machine, url=link.url)
    return _record(body, token, now, *_moment(now, machine))


def unsubscribed(link: Link, token: str, now: datetime) -> Record[Any]:
    """The customer asked for no more marketing; asking again is another event, since a yes may stand between the two.

    Whoever counts does so by message, as analytics, or takes the same link within a minute for one no, as journey.
    """
    return _record(events.Unsubscribed(**_base(link)), token, now, now.isoformat())


def leads_somewhere(link: Link) -> bool:
    """Whether a click link has a web address to go to."""
    return link.url.startswith(("https://", "http://"))


def _moment(now: datetime, machine: bool) -> tuple[str, str]:  # noqa: FBT001 - a part of the id
    """Repeats within a minute are one event; a scanner's fetch in the same minute must not hide a person's."""
    return now.strftime("%Y-%m-%dT%H:%M"), "machine" if machine else "person"


def _base(link: Link) -> dict[str, Any]:
    return {
        "workspace": link.workspace,
        "customer": link.customer,
        "message_key": link.message_key or None,
        "channel": link.channel,
    }


def _record(body: events.EngagementEvent, token: str, now: datetime, *parts: str) -> Record[Any]:
    return ENGAGEMENTS.record(body, id=derived_id(token, *parts), source=SOURCE, occurred_at=now, accepted_at=now)
