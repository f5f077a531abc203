"""The mailbox: every mail is written down before its sender hears 250, and readers react by its key alone."""

from __future__ import annotations

import smtplib
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import httpx
import pytest

from tabiji_cli import ledger
from tabiji_cli.demo.readers import Readers
from tabiji_cli.demo.shop import NotAccepted
from tabiji_cli.ledger import Ledger, Mail, Reaction
from tabiji_cli.letters import Letters
from tabiji_cli.line import Push
from tabiji_cli.mailbox import CUT, KEY_HEADER, Mailbox, key_of, links_in, reactions
from tabiji_cli.stack.ports import free_port

NOW = datetime(1997, 2, 1, 3, tzinfo=UTC)


def mail(key: str, *, header: bool = True) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "shop@example.com", "customer.1@example.com"
    message["Subject"] = "ご購入ありがとうございます"
    message["Message-ID"] = f"<{key}@shop.example.com>"
    message["List-Unsubscribe"] = "<http://127.0.0.1:8010/u/unsub-token>"
    if header:
        message[KEY_HEADER] = key
    message.set_content("こんにちは")
    message.add_alternative(
        '<p>こんにちは <a href="http://127.0.0.1:8010/c/click-token?a=1&amp;b=2">商品</a>'
        '<img src="http://127.0.0.1:8010/o/open-token" alt=""></p>',
        subtype="html",
    )
    return message


def box(folder: Path) -> Mailbox:
    return Mailbox(Ledger[Mail](folder / "mailbox.jsonl"), lambda: NOW, "seed", Letters(folder / "mails"))


def test_a_mail_sent_by_smtp_is_in_the_ledger_when_the_sender_is_answered(tmp_path: Path) -> None:
    mailbox, port = box(tmp_path), free_port()
    with mailbox.serve(port), smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(mail("key-1"))
        found = list(ledger.read(tmp_path / "mailbox.jsonl", Mail))
    assert found == [
        Mail(key="key-1", recipient="customer.1@example.com", subject="ご購入ありがとうございます", at=NOW)
    ]


def test_a_mail_to_where_connections_are_cut_is_taken_and_its_sender_hears_nothing(tmp_path: Path) -> None:
    mailbox, port = box(tmp_path), free_port()
    letter = mail("key-1")
    letter.replace_header("To", f"customer.1{CUT}")
    with mailbox.serve(port):
        client = smtplib.SMTP("127.0.0.1", port)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.send_message(letter)
        client.close()
    assert [one.key for one in ledger.read(tmp_path / "mailbox.jsonl", Mail)] == ["key-1"]


def test_a_mail_taken_twice_is_in_the_ledger_twice_and_read_once(tmp_path: Path) -> None:
    mailbox = box(tmp_path)
    key = next(f"key-{n}" for n in range(100) if list(reactions(mail(f"key-{n}"), "c", NOW, "seed")))
    for _ in range(2):
        mailbox.take("customer.1@example.com", mail(key).as_bytes())
    assert len(list(ledger.read(tmp_path / "mailbox.jsonl", Mail))) == 2
    assert (mailbox.taken, mailbox.doubled) == (2, 1)
    due = mailbox.pop_until(NOW + timedelta(days=9))
    assert len({(one.key, one.what) for one in due}) == len(due)


def test_the_key_is_in_its_header_or_in_the_message_id() -> None:
    assert key_of(mail("abc")) == key_of(mail("abc", header=False)) == "abc"


def test_the_real_links_are_found_in_the_html_and_the_header() -> None:
    assert links_in(mail("abc")) == {
        "c": "http://127.0.0.1:8010/c/click-token?a=1&b=2",
        "o": "http://127.0.0.1:8010/o/open-token",
        "u": "http://127.0.0.1:8010/u/unsub-token",
    }


def test_reactions_depend_on_the_key_and_not_on_when_others_came(tmp_path: Path) -> None:
    one, other = box(tmp_path / "one"), box(tmp_path / "other")
    keys = [f"key-{n}" for n in range(60)]
    for key in keys:
        one.take("c", mail(key).as_bytes())
    for key in reversed(keys):
        other.take("c", mail(key).as_bytes())
    late = NOW + timedelta(days=9)
    assert one.pop_until(late) == other.pop_until(late)


def test_a_part_of_all_mails_is_opened_and_a_part_of_those_clicked() -> None:
    what = Counter(due.what for n in range(2_000) for due in reactions(mail(f"k{n}"), "c", NOW, "seed"))
    assert 700 < what["open"] < 980
    assert 0.25 < what["click"] / what["open"] < 0.45
    assert 0 < what["unsubscribe"] < 40
    assert 100 < what["scan"] < 220


def test_a_reader_reacts_after_the_mail_came_and_opens_before_clicking(tmp_path: Path) -> None:
    mailbox = box(tmp_path)
    for n in range(100):
        mailbox.take("c", mail(f"key-{n}").as_bytes())
    assert mailbox.pop_until(NOW) == []
    assert mailbox.next_due() is not None
    opened: set[str] = set()
    for due in mailbox.pop_until(NOW + timedelta(days=9)):
        assert due.at > NOW
        if due.what == "open":
            opened.add(due.key)
        elif due.what in {"click", "unsubscribe"}:
            assert due.key in opened
    assert mailbox.next_due() is None


async def test_readers_fetch_the_real_links_and_keep_every_answer(tmp_path: Path) -> None:
    asked: list[tuple[str, str, str]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, request.headers["User-Agent"]))
        return httpx.Response(302 if "/c/" in request.url.path else 200)

    mailbox = box(tmp_path)
    for n in range(200):
        mailbox.take("c", mail(f"key-{n}").as_bytes())
    due = mailbox.pop_until(NOW + timedelta(days=9))
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        readers = Readers(client, Ledger[Reaction](tmp_path / "reactions.jsonl"))
        await readers.react(due, NOW)
    kept = list(ledger.read(tmp_path / "reactions.jsonl", Reaction))
    assert Counter((one.key, one.what) for one in kept) == Counter((one.key, one.what) for one in due)
    assert {method for method, path, _ in asked if path.startswith("/u/")} <= {"POST"}
    assert any("GoogleImageProxy" in agent for *_, agent in asked)


async def test_a_refused_click_fails_the_run(tmp_path: Path) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404)

    mailbox = box(tmp_path)
    for n in range(20):
        mailbox.take("c", mail(f"key-{n}").as_bytes())
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        readers = Readers(client, Ledger[Reaction](tmp_path / "reactions.jsonl"))
        with pytest.raises(NotAccepted, match="404"):
            await readers.react(mailbox.pop_until(NOW + timedelta(days=9)), NOW)


def test_a_line_message_is_in_the_same_ledger_and_some_follow_its_link(tmp_path: Path) -> None:
    mailbox = box(tmp_path)
    text = "山田 花子 様\n▼ http://127.0.0.1:8010/c/click-token\n"
    for n in range(100):
        mailbox.push(Push(f"key-{n}", "U1", [{"type": "text", "text": text}], NOW, delivered=n != 0))
    kept = list(ledger.read(tmp_path / "mailbox.jsonl", Mail))
    assert [mail.key for mail in kept] == [f"key-{n}" for n in range(1, 100)]
    assert kept[0].subject == "山田 花子 様"
    dues = mailbox.pop_until(NOW + timedelta(days=1))
    assert 10 < len(dues) < 50
    assert {(due.what, due.url) for due in dues} == {("click", "http://127.0.0.1:8010/c/click-token")}
