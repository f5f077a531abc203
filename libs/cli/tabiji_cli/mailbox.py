"""The other end of every message: a real SMTP server that writes down what it took, and readers who open and click.

LINE messages are written down beside the mails.

Who opens what, and when, is a hash of the message's key.
"""

from __future__ import annotations

import asyncio
import heapq
import html
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tabiji_cli.chance import chance, whole
from tabiji_cli.ledger import Ledger, Mail
from tabiji_cli.letters import Letters
from tabiji_cli.line import Push

OPENED, CLICKED, UNSUBSCRIBED, SCANNED = 0.42, 0.35, 0.015, 0.08  # clicks and unsubscribes: of the opened
LINE_CLICKED = 0.25
KEY_HEADER = "X-Tabiji-Message-Key"
CUT = "@cut.example.com"  # who is written to there gets the mail, and the sender no answer: an unknown outcome
_LINK = re.compile(r"https?://[^\s\"'<>]+/(o|c|u)/[^\s\"'<>]+")


@dataclass(frozen=True, order=True)
class Due:
    """Something that the reader of a mail will do at ``at``: follow ``url``."""

    at: datetime
    key: str
    rank: int
    what: str = field(compare=False)
    url: str = field(compare=False)
    recipient: str = field(compare=False)


class Mailbox:
    """Takes mail for everybody and remembers who will react; ``clock`` tells simulated time.

    ``letters`` keeps them to be read by people.
    """

    def __init__(self, ledger: Ledger[Mail], clock: Callable[[], datetime], seed: str, letters: Letters) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seed = seed
        self.letters = letters
        self._lock = threading.Lock()
        self._due: list[Due] = []
        self._keys: set[str] = set()
        self.taken = 0
        self.doubled = 0

    @contextmanager
    def serve(self, port: int) -> Iterator[None]:
        """Answer SMTP on the loopback, in a thread of its own, while the block runs."""
        server = Controller(_Handler(self), hostname="127.0.0.1", port=port, ready_timeout=10)
        server.start()
        try:
            yield
        finally:
            server.stop()

    def take(self, recipient: str, content: bytes) -> None:
        """Take one mail: in the ledger before the sender hears 250."""
        message, now = message_from_bytes(content), self._clock()
        key = key_of(message)
        subject = str(make_header(decode_header(message["Subject"] or "")))
        self._keep(
            Mail(key=key, recipient=recipient, subject=subject, at=now),
            reactions(message, recipient, now, self._seed),
            lambda: self.letters.keep(message, content, recipient, subject),
        )

    def push(self, push: Push) -> None:
        """Take a LINE message that reached somebody, in the same ledger."""
        if push.delivered:
            text = next((str(one["text"]) for one in push.messages if one.get("type") == "text"), "")
            mail = Mail(key=push.key, recipient=push.to, subject=text.partition("\n")[0], at=push.at)
            self._keep(mail, chat_reactions(text, mail, self._seed))

    def _keep(self, mail: Mail, reacts: Iterator[Due], keep: Callable[[], None] = lambda: None) -> None:
        self._ledger.add([mail])
        with self._lock:
            self.taken += 1
            if mail.key in self._keys:
                self.doubled += 1
                return
            self._keys.add(mail.key)
            keep()
            for due in reacts:
                heapq.heappush(self._due, due)

    def next_due(self) -> datetime | None:
        """When the next reader reacts."""
        with self._lock:
            return self._due[0].at if self._due else None

    def pop_until(self, tick: datetime) -> list[Due]:
        """What readers do up to ``tick``, in order of time; told once."""
        out: list[Due] = []
        with self._lock:
            while self._due and self._due[0].at <= tick:
                out.append(heapq.heappop(self._due))
        return out


class _Handler:
    """aiosmtpd's end of the mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        for recipient in envelope.rcpt_tos:
            self._mailbox.take(str(recipient), cast("bytes", envelope.content))
        if any(str(recipient).endswith(CUT) for recipient in envelope.rcpt_tos):
            cast("asyncio.Transport", server.transport).abort()
        return "250 OK"


def key_of(message: Message) -> str:
    """The message key: its own header, else the left part of the Message-ID."""
    if own := message[KEY_HEADER]:
        return str(own).strip()
    return str(message["Message-ID"] or "").strip(" <>").partition("@")[0]


def reactions(message: Message, recipient: str, now: datetime, seed: str) -> Iterator[Due]:
    """What becomes of a mail taken at ``now``: a function of its key, its links and the seed alone."""
    key = key_of(message)
    scanned = chance(seed, key, "scan") < SCANNED
    opened = chance(seed, key, "open") < OPENED
    links = links_in(message) if scanned or opened else {}
    if "o" not in links:
        return
    if scanned:
        yield Due(now + timedelta(seconds=1), key, 0, "scan", links["o"], recipient)
    if not opened:
        return
    hours = whole(1, 18, seed, key, "hour") * whole(1, 4, seed, key, "times")
    yield Due(now + timedelta(hours=hours), key, 1, "open", links["o"], recipient)
    if "c" in links and chance(seed, key, "click") < CLICKED:
        yield Due(now + timedelta(hours=hours, minutes=2), key, 2, "click", links["c"], recipient)
    if "u" in links and chance(seed, key, "unsubscribe") < UNSUBSCRIBED:
        yield Due(now + timedelta(hours=hours, minutes=4), key, 3, "unsubscribe", links["u"], recipient)


def chat_reactions(text: str, mail: Mail, seed: str) -> Iterator[Due]:
    """What becomes of a LINE message: its first link is followed, or not."""
    link = next((match.group(0) for match in _LINK.finditer(text) if match.group(1) == "c"), None)
    if link is not None and chance(seed, mail.key, "chat") < LINE_CLICKED:
        minutes = whole(1, 300, seed, mail.key, "chat minute")
        yield Due(mail.at + timedelta(minutes=minutes), mail.key, 2, "click", link, mail.recipient)


def links_in(message: Message) -> dict[str, str]:
    """The first pixel (``o``), link (``c``) and unsubscribe link (``u``) of a mail."""
    text = "".join(_text(part) for part in message.walk() if part.get_content_type() == "text/html")
    found: dict[str, str] = {}
    for match in _LINK.finditer(html.unescape(text) + f"\n{message['List-Unsubscribe'] or ''}"):
        found.setdefault(match.group(1), match.group(0))
    return found


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode(part.get_content_charset("utf-8"), "replace") if isinstance(content, bytes) else ""
