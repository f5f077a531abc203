"""JSON Schemas of every record type, from the types that encode and decode them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from tabiji_cli import services
from tabiji_cli.docs.markdown import sentence
from tabiji_cli.docs.meanings import meaning
from tabiji_common.topics import Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ANY = "*"


@dataclass(frozen=True)
class Kind:
    """One record type of one topic: its ``ce_type`` (``*``: any other name) and its payload's class."""

    topic: str
    name: str
    payload: type[msgspec.Struct]

    @property
    def file(self) -> str:
        """The schema's file name."""
        return f"{self.topic}.{'any' if self.name == ANY else self.name}.json"

    @property
    def says(self) -> str:
        """What a record of it says."""
        return sentence(self.payload.__doc__)


def kinds(topic: Topic[Any]) -> list[Kind]:
    """The record types of ``topic``."""
    named = [Kind(topic.name, name, payload) for name, payload in topic.types.items()]
    return [*named, Kind(topic.name, ANY, topic.fallback)] if topic.fallback else named


def all_kinds() -> Iterator[Kind]:
    """The record types of every topic."""
    for topic in services.known().values():
        yield from kinds(topic)


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of one record's value, whole. Fields are only ever added, so more of them are no fault."""
    (root,), parts = components([kind.payload], "#/$defs/{name}")
    own = parts.pop(root["$ref"].rpartition("/")[2])
    document = {"$schema": DIALECT, **own}
    document |= {"title": f"{kind.topic}: {kind.name}", "description": kind.says}
    return document | ({"$defs": parts} if parts else {})


def components(types: list[type[msgspec.Struct]], ref: str) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """References to ``types``, and the schemas of all structs behind them by class name, every field told."""
    roots, parts = msgspec.json.schema_components(types, ref_template=ref)
    for payload in types:
        for told in msgspec.structs.fields(payload):
            if told.type is datetime:
                parts[payload.__name__]["properties"][told.encode_name]["format"] = "date-time"
    for name, part in parts.items():
        part["description"] = sentence(part.get("description"))
        for field, told in part.get("properties", {}).items():
            told.setdefault("description", meaning(name, field))
    return list(roots), parts


def shape(told: dict[str, Any]) -> str:
    """A field's schema in a few words."""
    if "anyOf" in told:
        return " or ".join(shape(one) for one in told["anyOf"])
    if "enum" in told:
        return " or ".join(f"`{value}`" for value in told["enum"])
    if "$ref" in told:
        return str(told["$ref"]).rpartition("/")[2]
    if told.get("type") == "array":
        return f"list of {shape(told.get('items', {}))}"
    if told.get("format") == "date-time":
        return "time (RFC 3339)"
    return str(told.get("type", "any"))
