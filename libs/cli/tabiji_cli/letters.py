"""Mails as files that a person can open: each whole as .eml, its page as .html beside it for the browser."""

from __future__ import annotations

import re
from collections import Counter
from email.message import Message
from pathlib import Path

_ODD = re.compile(r"[^\w.@+-]")


class Letters:
    """Keeps mails in ``folder``; of each subject no more than ``most``, where that is given.

    The files of an earlier process in the same folder stay; numbers go on behind theirs.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._most = most
        self._subjects: Counter[str] = Counter()
        self._number = max((int(path.name[:5]) for path in folder.glob("[0-9]" * 5 + "-*.eml")), default=0)

    def keep(self, message: Message, content: bytes, recipient: str, subject: str) -> None:
        """Write the mail as it came. Raises ``OSError``."""
        self._subjects[subject] += 1
        if self._most is not None and self._subjects[subject] > self._most:
            return
        self._number += 1
        path = self.folder / f"{self._number:05}-{_ODD.sub('_', recipient)[:80]}.eml"
        path.write_bytes(content)
        if page := page_of(message):
            path.with_suffix(".html").write_bytes(page)

    def page(self) -> str:
        """The URL of the last mail's page; empty while there is none."""
        pages = sorted(self.folder.glob("*.html"))
        return pages[-1].as_uri() if pages else ""


def page_of(message: Message) -> bytes:
    """The HTML part of a mail, in UTF-8; empty where it has none."""
    for part in message.walk():
        if part.get_content_type() == "text/html":
            content = part.get_payload(decode=True)
            charset = part.get_content_charset("utf-8")
            return content.decode(charset, "replace").encode() if isinstance(content, bytes) else b""
    return b""
