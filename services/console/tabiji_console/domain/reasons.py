"""Why a message was or was not sent, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabiji_console.domain import figures
from tabiji_console.domain.words import WORDS, Lang, said

KINDS = {
    **dict.fromkeys(("sent", "delivered"), "good"),
    **dict.fromkeys(("held", "unknown"), "warn"),
    "failed": "bad",
}
SIGNS = {
    **dict.fromkeys(("sent", "delivered"), "circle-check"),
    **dict.fromkeys(("queued", "sending"), "clock"),
    "held": "pause",
    "suppressed": "ban",
    "failed": "circle-x",
    "unknown": "circle-help",
}


def family(reason: str) -> str:
    """``switch`` of ``switch:journey:demo:f2``."""
    return reason.partition(":")[0]


def short(lang: Lang, reason: str) -> str:
    """A reason in two or three words; itself where it is the shop's own."""
    key = f"reason.{family(reason)}"
    return said(lang, key) if key in WORDS else reason


def moved(lang: Lang, reason: str) -> str:
    """Why somebody moved on; a message's outcome is called as it is elsewhere, the shop's own word is itself.

    ``suppressed: no_consent`` is an outcome and its reason.
    """
    if reason.startswith("arm "):
        return said(lang, "moved.arm", arm=reason.removeprefix("arm ").upper())
    outcome, because, detail = reason.partition(": ")
    if because and f"outcome.{outcome}" in WORDS:
        return f"{said(lang, f'outcome.{outcome}')} · {short(lang, detail)}"
    keys = (f"{kind}.{reason}" for kind in ("moved", "outcome", "exit", "reason", "happened"))
    return next((said(lang, key) for key in keys if key in WORDS), reason)


def why(lang: Lang, row: Mapping[str, Any], zone: str) -> str:
    """The sentence that answers "why was this (not) sent?" for a delivery's row."""
    state, reason = str(row["state"]), str(row.get("reason") or "")
    named = reason.partition(":")[2].replace(":", " / ")
    key = next((k for k in (f"why.{state}.{family(reason)}", f"why.{state}") if k in WORDS), "why.other")
    until = row.get("wake_at")
    moment = figures.moment(figures.instant(until), zone) if until else figures.DASH
    told = said(lang, key, reason=short(lang, reason), what=named or figures.DASH, until=moment)
    if row.get("sent_after_exit"):
        told += " " + said(lang, "why.after_exit")
    return told
