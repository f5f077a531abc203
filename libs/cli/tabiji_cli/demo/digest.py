"""Evidence -> one JSON document that two runs share exactly when they did the same. Unknown outcomes stand apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import msgspec

from tabiji_cli.demo.checks import differing
from tabiji_cli.demo.evidence import Evidence


def digest(evidence: Evidence) -> dict[str, Any]:
    """Tables, funnels and counts of a run, as plain JSON values."""
    outcomes = Counter(
        f"{one.journey}/{one.template} {one.channel} {one.state} {one.reason}".strip()
        for one in evidence.deliveries.values()
        if one.state != "unknown"
    )
    mails = sorted((mail.key, mail.at.isoformat()) for mail in evidence.mails)
    return {
        "tables": {name: _rows(rows) for name, rows in sorted(evidence.tables.items())},
        "journeys": {
            one.journey: {
                "entered": one.entered,
                "waiting": dict(sorted(one.waiting.items())),
                "finished": one.finished,
                "exited": dict(sorted(one.exited.items())),
                "converted": one.converted,
            }
            for one in evidence.journeys
        },
        "arms": {f"{a.journey}/{a.experiment}/{a.arm}": [a.people, a.converted] for a in evidence.arms},
        "events": dict(sorted(evidence.events.items())),
        "outcomes": dict(sorted(outcomes.items())),
        "reactions": dict(sorted(Counter(one.what for one in evidence.reactions).items())),
        "timeouts": evidence.timeouts,
        "mails": {"count": len(mails), "sha256": _sha(mails)},
        "unknown": sorted(key for key, one in evidence.deliveries.items() if one.state == "unknown"),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where two digests differ, as paths with both values; ``unknown`` is left out."""
    flat_one, flat_other = _flat(_compared(one)), _flat(_compared(other))
    return [
        f"{path}: {flat_one.get(path, 'absent')} / {flat_other.get(path, 'absent')}"
        for path in differing(flat_one, flat_other)
    ]


def meaningful(document: dict[str, Any], least: int) -> list[str]:
    """What the run has too little of to prove anything: sends, opens, exits and timeouts, ``least`` of each."""
    journeys = document["journeys"].values()
    figures = {
        "sends": document["mails"]["count"],
        "opens": document["reactions"].get("open", 0),
        "exits": sum(sum(one["exited"].values()) for one in journeys),
        "timeouts": document["timeouts"],
    }
    return [f"{name}: {count}, wanted {least}" for name, count in figures.items() if count < least]


def _compared(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "unknown"}


def _rows(rows: Any) -> list[Any]:
    plain = msgspec.to_builtins([dict(row) for row in rows])
    return sorted(plain, key=lambda row: msgspec.json.encode(row, order="sorted"))


def _sha(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {k: v for name, part in value.items() for k, v in _flat(part, f"{path}/{name}").items()}
    if isinstance(value, list) and value:
        return {k: v for at, part in enumerate(value) for k, v in _flat(part, f"{path}/{at}").items()}
    return {path: value}
