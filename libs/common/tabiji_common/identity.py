"""Ids that are personal, as keyed hashes: an address or a telephone number on its way, an erased customer at rest."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

_GAP = r"[-\u2010-\u2015\u2212\u30fc.\s()]"
_ABROAD = re.compile(rf"\+\d(?:{_GAP}*\d){{7,14}}")
_JAPANESE = re.compile(rf"\(?0[1-9]\d{{0,3}}{_GAP}{{1,2}}\d{{1,4}}{_GAP}\d{{3,4}}")
_JAPANESE_MOBILE = re.compile(r"0[5-9]0\d{8}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def looks_like_mail(text: str) -> bool:
    """Whether ``text`` is an e-mail address, as far as an id is concerned."""
    return "@" in text and _MAIL.fullmatch(text.strip()) is not None


def normal_mail(address: str) -> str:
    """The form in which two spellings of one address are equal: NFKC, no outer space, no capitals."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


def phone_of(text: str) -> str | None:
    """``text`` as +, country and number where it is unmistakably a telephone number, else ``None``.

    That is + and 8 to 15 digits (E.164); a Japanese number of 10 or 11 digits with its gaps (03-1234-5678); or 11
    digits without gaps from 050, 060, 070, 080 or 090 on. Other digits are a customer's number, padded or not.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain or plain[0] not in "+(0":
        return None
    digits = re.sub(r"\D", "", plain)
    if _ABROAD.fullmatch(plain):
        return "+81" + digits[3:] if digits.startswith("810") else "+" + digits
    if _JAPANESE_MOBILE.fullmatch(plain) or (_JAPANESE.fullmatch(plain) and len(digits) in {10, 11}):
        return "+81" + digits[1:]
    return None


def mail_id(secret: str, workspace: str, address: str) -> str:
    """The id of whoever has this address: a keyed hash, since addresses do not travel in keys."""
    return "mail_" + _keyed(secret, f"guest\x1f{workspace}\x1f{normal_mail(address)}")


def closed_id(text: str, secret: str, workspace: str) -> str:
    """``text``, or its keyed hash where it is an e-mail address or a telephone number, however it is spelled."""
    if looks_like_mail(text):
        return mail_id(secret, workspace, text)
    phone = phone_of(text)
    return text if phone is None else "tel_" + _keyed(secret, f"phone\x1f{workspace}\x1f{phone}")


def customer_hash(secret: str, workspace: str, customer: str) -> bytes:
    """The tombstone of an erased customer: 16 bytes that recognise it and do not name it."""
    text = "\x1f".join(("erased", workspace, customer))
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:16]


def _keyed(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]
