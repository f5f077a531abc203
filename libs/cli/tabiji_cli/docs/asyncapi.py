"""``docs/asyncapi.json``: AsyncAPI 3, every topic a channel, what each service sends and receives an operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tabiji_cli import services
from tabiji_cli.docs.schemas import Kind, all_kinds, components, kinds
from tabiji_cli.docs.topics import HEADERS, OPTIONAL
from tabiji_common.settings import Settings
from tabiji_common.topics import Mode, Topic, anchor_name, dead_letter_name

VERSION = "3.1.0"  # of AsyncAPI
REF = "#/components/schemas/{name}"
Part = dict[str, Any]


def document() -> Part:
    """The whole document."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Tabiji",
            "version": "1",
            "description": "The topics between Tabiji's services. A record is a CloudEvent in Kafka's binary mode.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": str(Settings.model_fields["kafka_bootstrap"].default),
                "protocol": "kafka",
                "description": "The embedded broker; TABIJI_KAFKA_BOOTSTRAP names another.",
            }
        },
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "messages": {_message_id(kind): _message(kind) for kind in all_kinds()},
            "schemas": {"RecordHeaders": _headers(), "RecordKey": _key(), **_schemas()},
        },
    }


def _channels() -> Iterator[tuple[str, Part]]:
    for topic in services.known().values():
        days = int(topic.retention.total_seconds() * 1000)
        yield topic.name, _channel(topic.name, topic.holds, kinds(topic), days)
    for group, inputs in services.groups().items():
        for topic in inputs:
            name = dead_letter_name(topic.name, group)
            yield name, _channel(name, f"What {group} could not apply of {topic.name}", kinds(topic), -1)
        if services.keeps_state(group):
            name = anchor_name(group)
            yield name, _channel(name, f"Membership of {group}; holds no records", [], None)


def _channel(name: str, holds: str, held: list[Kind], retention: int | None) -> Part:
    settings = {} if retention is None else {"topicConfiguration": {"retention.ms": retention}}
    partitions = Settings.model_fields["partitions"].default
    return {
        "address": name,
        "description": holds,
        "messages": {_message_id(kind): {"$ref": f"#/components/messages/{_message_id(kind)}"} for kind in held},
        "bindings": {"kafka": {"topic": name, "partitions": partitions, **settings, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Iterator[tuple[str, Part]]:
    for action, by_service in (("receive", services.groups()), ("send", services.outputs())):
        for service, topics in by_service.items():
            for topic in topics:
                yield f"{service}.{action}.{topic.name}", _operation(action, service, topic)
    for group, inputs in services.groups().items():
        for topic in inputs:
            name = dead_letter_name(topic.name, group)
            told = f"{group} dead-letters what it cannot apply"
            yield f"{group}.send.{name}", {"action": "send", "channel": {"$ref": f"#/channels/{name}"}, "summary": told}


def _operation(action: str, service: str, topic: Topic[Any]) -> Part:
    reads = action == "receive"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{service} {'reads' if reads else 'writes'} {topic.name}",
        **({"bindings": {"kafka": _group(service)}} if reads else {}),
    }


def _group(service: str) -> Part:
    return {"groupId": {"type": "string", "const": service}, "bindingVersion": "0.5.0"}


def _message_id(kind: Kind) -> str:
    return kind.file.removesuffix(".json")


def _message(kind: Kind) -> Part:
    return {
        "name": kind.name if kind.name != "*" else "any other name",
        "summary": kind.says,
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/RecordHeaders"},
        "payload": {"$ref": REF.format(name=kind.payload.__name__)},
        "bindings": {"kafka": {"key": {"$ref": "#/components/schemas/RecordKey"}, "bindingVersion": "0.5.0"}},
    }


def _headers() -> Part:
    told: dict[str, Part] = {name: {"type": "string", "description": text} for name, text in HEADERS.items()}
    told["ce_specversion"]["const"] = "1.0"
    told["content-type"]["const"] = "application/json"
    told["mode"]["enum"] = [mode.value for mode in Mode]
    for name in ("ce_time", "ce_acceptedat"):
        told[name]["format"] = "date-time"
    told["day"]["format"] = "date"
    required = [name for name in HEADERS if name not in OPTIONAL]
    return {"type": "object", "description": "Kafka headers", "required": required, "properties": told}


def _key() -> Part:
    return {"type": "string", "description": "workspace:customer", "pattern": "^[^:]+:.+$"}


def _schemas() -> dict[str, Part]:
    payloads = list(dict.fromkeys(kind.payload for kind in all_kinds()))
    return components(payloads, REF)[1]
