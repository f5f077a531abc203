"""What the ledger knows of one customer: what was agreed to, what can be reached, and how a message reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tabiji_common.identity import closed_id, customer_hash
from tabiji_dispatch.adapters.postgres_rows import DELIVERY, delivery_of
from tabiji_dispatch.domain.consent import address_field, address_hash
from tabiji_dispatch.domain.render import Shop, Unrenderable, render
from tabiji_dispatch.ports import Templates

_CHANNELS = ("email", "line", "sms")
_CONTACT = "SELECT email, phone, line_id, name, timezone FROM contact WHERE customer_key = $1"
_CONSENTS = "SELECT channel, given, at FROM consent WHERE customer_key = $1 ORDER BY at DESC, channel"
_LISTED = """
SELECT s.channel, s.scope, s.reason, s.at FROM suppression s WHERE s.hash = ANY($1) ORDER BY s.at DESC, s.scope
"""
_ERASED = "SELECT at FROM erasure WHERE hash = $1"
_MERGED = "SELECT target FROM merged WHERE customer_key = $1"
_BODY = """
SELECT b.subject, b.text, b.html, b.template_version FROM body b WHERE b.message_key = $1
"""
_MESSAGE = f"SELECT {DELIVERY} FROM delivery d WHERE d.message_key = $1"  # noqa: S608 - a constant

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Looks:
    """What messages are drawn with."""

    templates: Templates
    shop: Shop


class PostgresCustomers:
    """Questions about one customer; ``secret`` is the key of the hashes."""

    def __init__(self, pool: Any, secret: str, looks: Looks) -> None:
        self._pool = pool
        self._secret = secret
        self._looks = looks

    async def contact(self, workspace: str, customer: str) -> Row:
        """Consents as they stand, which channels have an address (not the address), and where it is suppressed."""
        customer = closed_id(customer, self._secret, workspace)
        key = f"{workspace}:{customer}"
        known = await self._pool.fetchrow(_CONTACT, key)
        addresses = {name: known[field] for name in _CHANNELS if known and (field := address_field(name))}
        hashes = [address_hash(self._secret, workspace, name, text) for name, text in addresses.items() if text]
        return {
            "workspace": workspace,
            "customer": customer,
            "known": known is not None,
            "timezone": known["timezone"] if known else "",
            "channels": [channel for channel, address in addresses.items() if address],
            "consents": [dict(row) for row in await self._pool.fetch(_CONSENTS, key)],
            "suppressed": [dict(row) for row in await self._pool.fetch(_LISTED, hashes)],
            "erased_at": await self._pool.fetchval(_ERASED, customer_hash(self._secret, workspace, customer)),
            "merged_into": await self._pool.fetchval(_MERGED, key) or "",
        }

    async def preview(self, key: str) -> Row | None:
        """How a message reads, its signed links taken out; ``None`` where there is no such message.

        ``frozen`` says that this is what goes out; else the text is gone, and the template is filled in once more as
        it is now. ``problem`` is why it cannot be.
        """
        if body := await self._pool.fetchrow(_BODY, key):
            return self._without_links({**dict(body), "frozen": True, "problem": ""})
        row = await self._pool.fetchrow(_MESSAGE, key)
        if row is None:
            return None
        delivery = delivery_of(row)
        name = await self._pool.fetchval("SELECT name FROM contact WHERE customer_key = $1", delivery.customer_key)
        empty = {"subject": "", "text": "", "html": "", "template_version": "", "frozen": False}
        try:
            template = self._looks.templates.find(delivery.template)
            letter = render(template, delivery, self._looks.shop, address="", name=name or "", now=delivery.decided_at)
        except Unrenderable as error:
            return {**empty, "problem": str(error)}
        shown = {part: getattr(letter, part) for part in ("subject", "text", "html", "template_version")}
        return self._without_links({**shown, "frozen": False, "problem": ""})

    def _without_links(self, row: Row) -> Row:
        """Nobody who looks at a message opens it, clicks in it or unsubscribes in the customer's name."""
        signed = re.compile(re.escape(self._looks.shop.public_url.rstrip("/")) + r"/([ocu])/[\w.~%=-]+")
        empty = {"o": "data:,", "c": "#", "u": "#"}  # a pixel of "#" would load the page that shows the message
        return {**row, **{part: signed.sub(lambda one: empty[one[1]], row[part]) for part in ("text", "html")}}
