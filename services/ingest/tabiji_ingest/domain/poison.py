"""One event's bytes -> a JSON object that every parser and database behind us can hold, or a refusal.

Parsers and PostgreSQL disagree about NUL characters, lone surrogates, NaN, numbers out of range and depth
(RELIABILITY.md, "Ingest"), so they are refused at the door. Good events pay for one decode and four byte scans; what
exactly is wrong is looked for only once something is.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tabiji_ingest.domain.refusal import Kind, Refusal

MAX_EVENT_BYTES = 32 * 1024
MAX_DEPTH = 50
_INT_BITS = 63

TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
"""Strings (an unterminated one runs to the end, so that a scan stays linear) and brackets."""

_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_DIGITS = b"0" * 19
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class _Bad:
    """Stands for a number that JSON's grammar or its readers do not hold."""

    def __init__(self, rule: str) -> None:
        self.rule = rule


_NOT_FINITE = _Bad("must be a finite number")
_TOO_LONG = _Bad("must be an integer of 64 bits")


def read_event(raw: bytes) -> dict[str, Any]:
    """The object in ``raw``; raises ``Refusal`` with the field and the rule. Of a repeated key the last one wins."""
    if len(raw) > MAX_EVENT_BYTES:
        raise Refusal("", f"must be at most {MAX_EVENT_BYTES} bytes", Kind.LARGE)
    if _may_be_deep(raw):
        check_depth(raw)
    try:
        event = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise diagnose(raw) from None
    if type(event) is not dict:
        raise Refusal("", "must be a JSON object")
    if (b"\\u0000" in raw or _LONG_DIGITS in raw.translate(_AS_ZEROS)) and (refusal := find_poison(event)):
        raise refusal
    return event


def fingerprint(event: dict[str, Any]) -> str:
    """A hash of the client's event without ``sentAt``, which changes when the same event is sent again."""
    if "sentAt" in event:
        event = {key: value for key, value in event.items() if key != "sentAt"}
    return hashlib.blake2b(_encode(event), digest_size=16).hexdigest()


def _may_be_deep(raw: bytes) -> bool:
    return raw.count(b"{") + raw.count(b"[") > MAX_DEPTH


def check_depth(raw: bytes) -> None:
    """Raise ``Refusal`` where brackets nest deeper than ``MAX_DEPTH``; never recurses."""
    depth = 0
    for match in TOKEN.finditer(raw):
        token = match.group()[:1]
        if token in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Refusal("", f"must not nest deeper than {MAX_DEPTH}", Kind.POISON)
        elif token in b"]}":
            depth -= 1


def diagnose(raw: bytes) -> Refusal:
    """What is wrong with ``raw``, which a strict reader did not take."""
    try:
        if _may_be_deep(raw):
            check_depth(raw)
        value = json.loads(raw.decode(), parse_constant=lambda _: _NOT_FINITE, parse_int=_integer, parse_float=_float)
    except Refusal as refusal:
        return refusal
    except UnicodeDecodeError:
        return Refusal("", "must be UTF-8", Kind.POISON)
    except json.JSONDecodeError as error:
        return Refusal("", f"is not valid JSON at character {error.pos}")
    except (ValueError, RecursionError):
        return Refusal("", "is not valid JSON")
    return find_poison(value) or Refusal("", "is not valid JSON")


def find_poison(value: Any, path: str = "") -> Refusal | None:
    """The first value or key that cannot be stored, with its path; ``None`` where all is well."""
    return next(_poison(value, path, 0), None)


def _poison(value: Any, path: str, depth: int) -> Iterator[Refusal]:
    if depth > MAX_DEPTH:
        yield Refusal(path[:64], f"must not nest deeper than {MAX_DEPTH}", Kind.POISON)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if rule := _text_rule(key):
                yield Refusal(path, f"a key {rule}", Kind.POISON)
            else:
                yield from _poison(inner, f"{path}.{key[:64]}" if path else key[:64], depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _poison(inner, f"{path}.{index}" if path else str(index), depth + 1)
    elif rule := _scalar_rule(value):
        yield Refusal(path, rule, Kind.POISON)


def _scalar_rule(value: Any) -> str:
    if isinstance(value, str):
        return _text_rule(value)
    if isinstance(value, _Bad):
        return value.rule
    if isinstance(value, int) and value.bit_length() > _INT_BITS:
        return _TOO_LONG.rule
    return ""


def _text_rule(text: str) -> str:
    if "\0" in text:
        return "must not hold U+0000"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must not hold a lone surrogate"
    return ""


def _integer(digits: str) -> int | _Bad:
    return int(digits) if len(digits) <= 20 else _TOO_LONG


def _float(digits: str) -> float | _Bad:
    number = float(digits)
    return number if math.isfinite(number) else _NOT_FINITE
