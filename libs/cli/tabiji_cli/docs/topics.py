"""``docs/topics.md``: what each topic holds, who writes and reads it, and every field of every record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from tabiji_cli import services
from tabiji_cli.docs.markdown import code, page, table
from tabiji_cli.docs.meanings import meaning
from tabiji_cli.docs.schemas import Kind, components, kinds, shape
from tabiji_common.commands import Payload, Seen
from tabiji_common.events import Event
from tabiji_common.topics import Topic, anchor_name, dead_letter_name

HEADERS = {
    "ce_specversion": "`1.0`.",
    "ce_id": "The record's id; with workspace and `ce_source` the event's identity: a repeat has the same one.",
    "ce_type": "The record's type, as in the tables below.",
    "ce_source": "Who made it: `segment`, `posthog`, a CloudEvent's own source, or `tabiji/<service>`.",
    "ce_time": "When it happened, business time, RFC 3339 in UTC.",
    "ce_acceptedat": "When we took it.",
    "content-type": "`application/json`.",
    "mode": "`live`, `backfill` (imported history) or `replay`.",
    "bodyhash": "Hash of the client's event without `sentAt`; only on records that a client sent.",
    "day": "UTC day of the client's own timestamp; only where it gave one.",
    "reason": "Dead letters only: why the record cannot be applied.",
}
OPTIONAL = ("bodyhash", "day", "reason")

OPENING = """
A record is a CloudEvent in Kafka's binary mode: attributes in headers, JSON in the value. The key is
`workspace:customer`, on every topic, and every topic has the same number of partitions (`TABIJI_PARTITIONS`), so a
customer has one partition number everywhere. Times of the log are `LogAppendTime`. Names have the installation's
prefix (`TABIJI_TOPIC_PREFIX`) before them. No personal data is in keys or headers. Fields are only ever added: pass
over what you do not know. For programs: the JSON Schemas in [schemas](schemas), and the AsyncAPI document
[asyncapi.json](asyncapi.json). `tabiji topics` lists the topics of an installation.
""".strip()

GROUPS = """
A record that a group cannot apply goes to that group's dead-letter topic as it was received, with the header
`reason`; a service with state keeps it as a row too, and can replay it. A membership topic holds no records: the
processes of a service are assigned partition numbers by it.
""".strip()


def topics_page() -> str:
    """The page."""
    return page(
        "Topics",
        OPENING,
        _overview(),
        "## Headers",
        table(["header", "meaning"], ((code(name), text) for name, text in HEADERS.items())),
        "## Fields of every record",
        "Every value on an `events.*` topic has:",
        _fields("Event", Event),
        "Every value on the other topics has:",
        _fields("Payload", Payload),
        *(part for topic in services.known().values() for part in _topic(topic)),
        "## Dead letters and memberships",
        GROUPS,
        table(["topic", "of", "kept"], _group_topics()),
    )


def kept(retention: timedelta) -> str:
    """How long, for people."""
    return f"{retention.days} days"


def writers(topic: Topic[Any]) -> list[str]:
    """The services that write it."""
    return [name for name, outputs in services.outputs().items() if topic in outputs]


def readers(topic: Topic[Any]) -> list[str]:
    """The services that read it."""
    return [name for name, inputs in services.groups().items() if topic in inputs]


def _overview() -> str:
    rows = (
        (
            f"[`{name}`](#{name.replace('.', '')})",
            topic.holds,
            "customer",
            ", ".join(writers(topic)),
            ", ".join(readers(topic)),
            kept(topic.retention),
        )
        for name, topic in services.known().items()
    )
    return table(["topic", "holds", "key", "written by", "read by", "kept"], rows)


def _topic(topic: Topic[Any]) -> Iterator[str]:
    yield f"## {topic.name}"
    holds = f"{topic.holds[:1].upper()}{topic.holds[1:]}."
    yield f"{holds} Written by {_and(writers(topic))}, read by {_and(readers(topic))}. Kept {kept(topic.retention)}."
    for kind in kinds(topic):
        yield from _kind(kind)


def _kind(kind: Kind) -> Iterator[str]:
    name = "any other type" if kind.name == "*" else kind.name
    yield f"### {name}\n\n{kind.says} [Schema](schemas/{kind.file})"
    if own := _fields(kind.payload.__name__, kind.payload, beyond=_base(kind.payload)):
        yield own
    if any(field.name == "seen" for field in msgspec.structs.fields(kind.payload)):
        yield "`Seen` is:"
        yield _fields("Seen", Seen)


def _base(payload: type[msgspec.Struct]) -> type[msgspec.Struct]:
    return Event if issubclass(payload, Event) else Payload


def _fields(name: str, payload: type[msgspec.Struct], beyond: type[msgspec.Struct] | None = None) -> str:
    """The fields of ``payload`` that ``beyond`` does not have."""
    _, parts = components([payload], "#/{name}")
    told = parts[payload.__name__]["properties"]
    passed = {field.name for field in msgspec.structs.fields(beyond)} if beyond else set()
    rows = (
        (code(field.name), shape(told[field.name]), _default(field), meaning(name, field.name))
        for field in msgspec.structs.fields(payload)
        if field.name not in passed
    )
    return table(["field", "type", "if absent", "meaning"], rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default_factory is not msgspec.NODEFAULT:
        return "empty"
    return code(msgspec.json.encode(field.default).decode())


def _group_topics() -> Iterator[tuple[str, str, str]]:
    for group, inputs in services.groups().items():
        for topic in inputs:
            yield (
                code(dead_letter_name(topic.name, group)),
                f"what {group} could not apply of `{topic.name}`",
                "for ever",
            )
        if services.keeps_state(group):
            yield code(anchor_name(group)), f"membership of {group}", "no records"


def _and(names: list[str]) -> str:
    return ", ".join(names) if names else "nobody yet"
