"""Mails that people can open: whole, as a page, and not all of a long run."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlparse

from tabiji_cli.letters import Letters


def kept(letters: Letters, recipient: str, subject: str = "お礼") -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content("こんにちは")
    message.add_alternative(f"<p>{recipient} さま</p>", subtype="html", charset="iso-2022-jp")
    letters.keep(message, message.as_bytes(), recipient, subject)


def test_a_mail_is_kept_whole_and_its_page_opens_in_a_browser(tmp_path: Path) -> None:
    letters = Letters(tmp_path / "mails")
    assert letters.page() == ""
    kept(letters, "hanako@example.com")
    assert (tmp_path / "mails" / "00001-hanako@example.com.eml").read_bytes().startswith(b"Subject:")
    page = Path(unquote(urlparse(letters.page()).path)).read_text("utf-8")
    assert page.strip() == "<p>hanako@example.com さま</p>"


def test_a_long_run_keeps_some_of_each_subject(tmp_path: Path) -> None:
    letters = Letters(tmp_path, most=2)
    for number in range(5):
        kept(letters, f"c{number}@example.com")
        kept(letters, f"c{number}@example.com", "クーポン")
    assert len(list(tmp_path.glob("*.eml"))) == 4


def test_numbers_go_on_in_the_next_life_and_no_recipient_names_a_path(tmp_path: Path) -> None:
    kept(Letters(tmp_path), "a@example.com")
    kept(Letters(tmp_path), "../../b@example.com")
    assert sorted(path.name for path in tmp_path.glob("*.eml")) == [
        "00001-a@example.com.eml",
        "00002-.._.._b@example.com.eml",
    ]
