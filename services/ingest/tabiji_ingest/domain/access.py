"""Write keys, and how much one of them may ask for."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass

from tabiji_common.topics import Mode
from tabiji_ingest.domain.refusal import Kind, Refusal

MAX_KEY = 512
_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class WriteKey:
    """What a write key opens: one workspace, live or backfill. ``id`` is the key's hash."""

    id: bytes
    workspace: str
    scope: Mode


def key_hash(key: str) -> bytes:
    """How a write key is stored and looked up; keys are long and random, so a plain hash does."""
    return hashlib.sha256(key.encode()).digest()


def check_workspace(workspace: str) -> None:
    """Raise ``ValueError`` where ``workspace`` is no name for one."""
    if not _WORKSPACE.fullmatch(workspace):
        raise ValueError("a workspace is named by 1 to 63 of a-z, 0-9, - and _")


def check_name(name: str) -> str:
    """``name``, by which people tell a write key from others; raises ``ValueError`` where it cannot be shown."""
    if len(name) > 100 or not name.isprintable():
        raise ValueError("a write key's name has at most 100 characters, all of them printable")
    return name


def read_basic(authorization: str | None) -> str:
    """The user of HTTP Basic, its password being empty; raises ``Refusal``."""
    text = authorization or ""
    user, colon, password = _basic(text).partition(":")
    if colon and not user and not password:
        raise Refusal("Authorization", "is empty: the write key goes in as the user of Basic", Kind.AUTH)
    if text.partition(" ")[0].lower() != "basic" or not user or not colon or password:
        raise Refusal("Authorization", "must be Basic with the write key as user and no password", Kind.AUTH)
    return user


def read_verbatim(authorization: str | None) -> str:
    """The write key of Dittofeed's clients, which send it as it was given to them; raises ``Refusal``.

    The header is the key itself, or HTTP Basic with the key as user, or as ``user:password`` together (Dittofeed's own
    keys have that form).
    """
    text = (authorization or "").strip()
    scheme, space, _ = text.partition(" ")
    key = text
    if space and scheme.lower() == "basic":
        key = _basic(text).removesuffix(":")
    if not key or len(key) > MAX_KEY:
        raise Refusal("Authorization", "must be the write key", Kind.AUTH)
    return key


def read_body_key(key: object) -> str:
    """The write key that a body gives; raises ``Refusal``."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        raise Refusal("api_key", "must be the write key", Kind.AUTH)
    return key


def _basic(authorization: str) -> str:
    """What HTTP Basic says, ``user:password``; empty where it is malformed."""
    try:
        return base64.b64decode(authorization.partition(" ")[2].strip(), validate=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError are two of them; a header beyond ASCII is another
        return ""


def check_mode(text: str | None, key: WriteKey, *, batch: bool) -> Mode:
    """The mode that a request asks for, if its key may: history takes a key of its own, which takes nothing else."""
    if text not in (None, Mode.LIVE, Mode.BACKFILL):
        raise Refusal("mode", "must be live or backfill", Kind.SCOPE)
    mode = Mode(text or Mode.LIVE)
    if mode is Mode.BACKFILL and not batch:
        raise Refusal("mode", "backfill is for the batch route", Kind.SCOPE)
    if mode is not key.scope:
        raise Refusal("mode", f"must be {key.scope.value} with this write key", Kind.SCOPE)
    return mode


@dataclass(slots=True)
class Bucket:
    """A token bucket: ``rate`` requests a second, ``burst`` at once. Times are machine seconds."""

    rate: float
    burst: float
    tokens: float
    seen: float

    def take(self, now: float) -> float:
        """Take one token: 0.0, or the seconds until there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.seen) * self.rate)
        self.seen = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


class Limiter:
    """One bucket for each write key; a rate of 0 sets no limit."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, max(burst, 1.0)
        self.buckets: dict[bytes, Bucket] = {}

    def check(self, key: WriteKey, now: float) -> None:
        """Raise ``Refusal`` where the key has asked too often."""
        if not self.rate:
            return
        bucket = self.buckets.get(key.id)
        if bucket is None:
            bucket = self.buckets[key.id] = Bucket(self.rate, self.burst, self.burst, now)
        if wait := bucket.take(now):
            raise Refusal("", "too many requests with this write key", Kind.RATE, retry_after=math.ceil(wait))


class Flight:
    """Bytes of requests not answered or not acked yet, bounded: beyond it requests are refused, never queued."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0

    def take(self, size: int) -> None:
        """Count ``size`` bytes in; raises ``Refusal`` where there is no room for them."""
        if self.bytes + size > self.most:
            raise Refusal("", "too much is in flight", Kind.BUSY, retry_after=1)
        self.bytes += size

    def give_back(self, size: int) -> None:
        """Count ``size`` bytes out."""
        self.bytes -= size
