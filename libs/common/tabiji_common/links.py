"""Signed links in messages: open pixel, click and unsubscribe; dispatch signs them, ingest verifies them."""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

_TAG_BYTES = 16


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a link says: its kind (``o`` open, ``c`` click, ``u`` unsubscribe), whose it is, and where a click leads.

    ``customer`` is the shop's id of a customer, never an address.
    """

    kind: str
    workspace: str
    customer: str
    message_key: str
    channel: str = "email"
    url: str = ""


_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(Link)


def sign(secret: str, link: Link) -> str:
    """A URL-safe token of ``link``: base64url of the 16-byte HMAC-SHA256 and the packed link."""
    body = _ENCODE.encode(link)
    return base64.urlsafe_b64encode(_tag(secret, body) + body).decode().rstrip("=")


def verify(secret: str, kind: str, token: str) -> Link | None:
    """The link in ``token``, or ``None`` where it was not signed with ``secret`` for this ``kind``."""
    try:
        raw = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if not hmac.compare_digest(raw[:_TAG_BYTES], _tag(secret, raw[_TAG_BYTES:])):
            return None
        link = _DECODE.decode(raw[_TAG_BYTES:])
    except (ValueError, msgspec.MsgspecError):
        return None
    return link if link.kind == kind else None


def _tag(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), b"link\x1f" + body, hashlib.sha256).digest()[:_TAG_BYTES]
