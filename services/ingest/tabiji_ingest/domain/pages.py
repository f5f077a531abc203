"""The pages that a customer sees behind an unsubscribe link, in Japanese and English."""

from __future__ import annotations

_PAGE = """<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>body{{font:16px/1.7 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1.5em;color:#222}}
button{{font:inherit;padding:.6em 1.6em;border:0;border-radius:.4em;background:#222;color:#fff;cursor:pointer}}
p[lang=en]{{color:#666}}</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def _page(title: str, ja: str, en: str, form: str = "") -> bytes:
    body = f'<p>{ja}</p><p lang="en">{en}</p>{form}'
    return _PAGE.format(title=title, body=body).encode()


ASK = _page(
    "配信停止 / Unsubscribe",
    "今後、お知らせの配信を停止します。よろしければボタンを押してください。",
    "You will receive no more marketing messages. Press the button to confirm.",
    '<form method="post"><button>配信を停止する / Unsubscribe</button></form>',
)
"""Asks; fetching it changes nothing, since scanners follow links."""

DONE = _page(
    "配信を停止しました / Unsubscribed",
    "お知らせの配信を停止しました。ご利用ありがとうございました。",
    "You will receive no more marketing messages. Thank you.",
)

LATER = _page(
    "しばらくしてからもう一度お試しください / Please try again",
    "ただいまお手続きを受け付けられません。しばらくしてからもう一度お試しください。",
    "We could not take your request just now. Please try again in a moment.",
)

UNKNOWN = _page(
    "リンクが正しくありません / Unknown link",
    "このリンクは正しくないか、途中で切れています。",
    "This link is broken or incomplete.",
)
