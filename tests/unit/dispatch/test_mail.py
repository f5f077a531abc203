"""The Internet message: one recipient, readable headers, nothing injected."""

import email
from dataclasses import replace
from email import policy
from email.message import EmailMessage

import pytest

from tabiji_dispatch.adapters.mail import compose, single_address
from tabiji_dispatch.domain.message import Letter
from tests.unit.dispatch.make import NOON

LETTER = Letter(
    key="0b9e6c1e-7a5e-5d5b-8c3e-2f6d1a4b9c7d",
    channel="email",
    address="c1@example.com",
    subject="【旅路の店】ご購入ありがとうございます。次の旅のご案内です" * 2,
    text="本文です。\n二行目",
    html="<p>本文です。</p>" * 50,
    unsubscribe_url="https://shop.example.com/u/" + "t" * 400,
    dated=NOON,
    template_version="v",
)
SENDER = "旅路の店 <no-reply@example.com>"


def read(letter: Letter, sender: str = SENDER) -> tuple[EmailMessage, bytes]:
    raw = compose(letter, sender, "c1@example.com")
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message, raw


def test_japanese_survives_in_subject_sender_and_both_bodies() -> None:
    message, _ = read(LETTER)
    assert message["subject"] == LETTER.subject
    assert message["from"] == SENDER
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n").rstrip("\n") == LETTER.text
    assert html.get_content().rstrip() == LETTER.html
    assert message.get_content_type() == "multipart/alternative"


def test_the_unsubscribe_header_is_one_plain_line_that_programs_can_read() -> None:
    message, raw = read(LETTER)
    assert f"List-Unsubscribe: <{LETTER.unsubscribe_url}>\r\n".encode() in raw
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert "list-unsubscribe" not in read(replace(LETTER, unsubscribe_url=""))[0]


def test_encoded_words_and_lines_keep_their_limits() -> None:
    _, raw = read(LETTER)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert all(len(word) <= 75 for line in head.split(b"\r\n") for word in line.split() if word.startswith(b"=?"))
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert body
    assert raw.isascii()


def test_the_message_id_is_the_key_and_one_recipient_is_named() -> None:
    message, raw = read(LETTER)
    assert message["message-id"] == f"<{LETTER.key}@example.com>"
    assert message["to"] == "c1@example.com"
    assert b"cc:" not in raw.lower().partition(b"\r\n\r\n")[0]
    assert message["date"].datetime == NOON


def test_text_only_and_html_only() -> None:
    assert read(replace(LETTER, html=""))[0].get_content_type() == "text/plain"
    assert read(replace(LETTER, text=""))[0].get_content_type() == "text/html"


@pytest.mark.parametrize("bad", ["x\r\nBcc: a@example.com", "x\ny", "x\ry"])
def test_a_header_with_a_line_break_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"line break|plain header"):
        compose(replace(LETTER, subject=bad), SENDER, "c1@example.com")
    with pytest.raises(ValueError, match=r"line break|plain header"):
        compose(replace(LETTER, unsubscribe_url=bad), SENDER, "c1@example.com")


GOOD = [
    ("a@example.com", "a@example.com"),
    (" a@example.com ", "a@example.com"),
    ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),  # old addresses of Japanese mobile phones
    ("a+b@日本.jp", "a+b@xn--wgv71a.jp"),
]
BAD = [
    "",
    "a",
    "@example.com",
    "a@",
    "a b@example.com",
    "a@example.com,b@example.com",
    "a@example.com\r\nRCPT TO:<b@example.com>",
    "<a@example.com>",
    '"a b"@example.com',
    "a@example.com>",
    "あ@example.com",
    "a@exa mple.com",
    "a@" + "x" * 250 + ".com",
    "a" * 65 + "@example.com",
]


@pytest.mark.parametrize(("address", "plain"), GOOD)
def test_addresses_that_are_one(address: str, plain: str) -> None:
    assert single_address(address) == plain


@pytest.mark.parametrize("address", BAD)
def test_addresses_that_are_none_or_more(address: str) -> None:
    assert single_address(address) is None
