"""What an SMTP reply means, by the stage it answers: RFC 5321 (codes), RFC 3463 and its registry (enhanced codes)."""

from __future__ import annotations

import re
from enum import IntEnum

from tabiji_dispatch.domain.outcomes import Result, Verdict


class Stage(IntEnum):
    """How far an attempt has come; from ``DOT`` on the server may have the message."""

    CONNECT = 0
    GREET = 1
    MAIL = 2
    RCPT = 3
    DATA = 4
    BODY = 5
    DOT = 6


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
_CREDENTIALS = frozenset({530, 534, 535, 538})
# The address itself is bad: it does not exist, is malformed, has moved, takes no mail, or is disabled.
_BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_BAD_ADDRESS_CODES = frozenset({550, 551, 553})
_SLOW_DOWN = frozenset({"4.3.2", "4.4.5", "4.7.28"})
_TOO_BIG = frozenset({"5.2.3", "5.3.4"})
_CLOSING = 421
THROTTLE_SECONDS = 30.0


def verdict_of(stage: Stage, code: int, text: str) -> Verdict:
    """The class of a reply; ``text`` is looked at for its enhanced code only."""
    match_ = _ENHANCED.match(text)
    enhanced = match_.group(1) if match_ else ""
    detail = " ".join(part for part in (stage.name.lower(), str(code), enhanced) if part)
    if stage is Stage.DOT and 200 <= code < 300:
        return Verdict(Result.ACCEPTED, detail)
    if code in _CREDENTIALS:
        return Verdict(Result.CONFIG, detail)
    if 400 <= code < 500:
        slow = code == _CLOSING or enhanced in _SLOW_DOWN
        return Verdict(Result.THROTTLED, detail, THROTTLE_SECONDS) if slow else _refused(stage, detail)
    if 500 <= code < 600:
        return _permanent(stage, code, enhanced, detail)
    return lost_at(stage, f"{detail} not understood")


def _permanent(stage: Stage, code: int, enhanced: str, detail: str) -> Verdict:
    if stage <= Stage.GREET:
        return Verdict(Result.CONFIG, detail)
    if stage is Stage.MAIL and enhanced not in _TOO_BIG and code != 552:
        return Verdict(Result.CONFIG, detail)  # our sender is not wanted: no other message would fare better
    plain = stage is Stage.RCPT and not enhanced and code in _BAD_ADDRESS_CODES
    return Verdict(Result.PERMANENT, detail, suppress=plain or enhanced in _BAD_ADDRESS)


def lost_at(stage: Stage, detail: str) -> Verdict:
    """The connection broke or time ran out: before the final dot nothing was taken, after it nobody knows."""
    return Verdict(Result.UNKNOWN, detail) if stage is Stage.DOT else _refused(stage, detail)


def _refused(stage: Stage, detail: str) -> Verdict:
    """Before it was told the recipient, the server knew nothing of the message."""
    return Verdict(Result.REFUSED, detail, outage=stage < Stage.RCPT)
