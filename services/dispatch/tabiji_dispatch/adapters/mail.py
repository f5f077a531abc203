"""A letter as an Internet message (RFC 5322): one recipient, base64 parts, no header that a value could break.

The standard library folds an unknown header longer than a line into encoded words, which no mail program takes for the
address of ``List-Unsubscribe``, and parses every header each time, which costs more than all else. So headers of ASCII
tokens are written as they are, and the parsed forms of the others are kept.
"""

from __future__ import annotations

import re
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any

from tabiji_dispatch.domain.message import Letter

_PLAIN = frozenset({"to", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"})
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\U0010ffff]")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,190}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_MOST_LINE = 990
_BOUNDARY = "=_tabiji_alternative"  # has signs that base64 lines cannot begin with


class _MailPolicy(EmailPolicy):
    """``email.policy.SMTP`` with plain headers left alone and the parsed forms of the rest kept."""

    def header_max_count(self, name: str) -> int:  # noqa: ARG002 - every header of ours stands once
        return 1

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if name.lower() not in _PLAIN:
            return name, _parsed(name, str(value))
        if _UNSAFE.search(value) or len(value) > _MOST_LINE:
            raise ValueError(f"{name} is no plain header")
        return name, value

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in _PLAIN:
            return f"{name}: {value}\r\n".encode("ascii")
        return _folded(name, str(value))


_HEADERS = HeaderRegistry()
_FOLDING = EmailPolicy(linesep="\r\n", max_line_length=76)  # a space and an encoded word of 75 (RFC 2047)


@lru_cache(maxsize=4096)
def _parsed(name: str, value: str) -> Any:
    if "\r" in value or "\n" in value:
        raise ValueError(f"{name} has a line break")
    return _HEADERS(name, value)


@lru_cache(maxsize=4096)
def _folded(name: str, value: str) -> bytes:
    return _FOLDING.fold_binary(name, _HEADERS(name, value))


MAIL = _MailPolicy(linesep="\r\n")


def single_address(address: str) -> str | None:
    """``address`` where it is exactly one plain address (its domain in ASCII form), else ``None``."""
    local, at, domain = address.strip().rpartition("@")
    try:
        plain = local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return plain if _ADDRESS.fullmatch(plain) else None


def domain_of(sender: str) -> str:
    """The domain of a From value."""
    return parseaddr(sender)[1].rpartition("@")[2]


def compose(letter: Letter, sender: str, recipient: str) -> bytes:
    """The message's bytes with CRLF lines, to a ``single_address``. Raises ``ValueError`` for unsafe headers."""
    mail = EmailMessage(policy=MAIL)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(letter.dated)
    mail["Message-ID"] = f"<{letter.key}@{domain_of(sender)}>"
    if letter.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if letter.text or not letter.html:
        mail.set_content(letter.text, cte="base64")
        if letter.html:
            mail.add_alternative(letter.html, subtype="html", cte="base64")
            mail.set_boundary(_BOUNDARY)
    else:
        mail.set_content(letter.html, subtype="html", cte="base64")
    return mail.as_bytes()
