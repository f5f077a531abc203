"""Everything that lies in the topics of an installation, and whether it is what the JSON Schemas say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tabiji_cli import services
from tabiji_common.topics import TOPICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITTEN_BY_INGEST = "tabiji/link"
SCHEMA = json.loads((DOCS / "asyncapi.json").read_text("utf-8"))["components"]["schemas"]["RecordHeaders"]
HEADERS = jsonschema.Draft202012Validator(SCHEMA)
ANY = "any"


async def records(bootstrap: str, prefix: str) -> list[ConsumerRecord[bytes, bytes]]:
    """All records of the topics under ``prefix``."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    told = await admin.describe_topics([prefix + name for name in TOPICS])
    await admin.close()
    places = [TopicPartition(topic["topic"], p) for topic in told for p in range(len(topic["partitions"]))]
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord[bytes, bytes]] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


def faults(found: list[ConsumerRecord[bytes, bytes]], prefix: str) -> tuple[Counter[str], list[str]]:
    """How many records of each type there are, and what about them no schema or writer's list says."""
    seen: Counter[str] = Counter()
    wrong: set[str] = set()
    for record in found:
        topic = record.topic.removeprefix(prefix)
        headers = {name: value.decode() for name, value in record.headers}
        kind = headers["ce_type"] if headers["ce_type"] in TOPICS[topic].types else ANY
        seen[f"{topic} {kind}"] += 1
        told = [*HEADERS.iter_errors(headers), *_validator(topic, kind).iter_errors(json.loads(record.value))]
        wrong |= {f"{topic} {kind}: {error.message}" for error in told}
        wrong |= {f"{topic} {kind}: {name} is told nowhere" for name in _untold(topic, kind, record.value, headers)}
        if topic not in {one.name for one in services.outputs()[_writer(headers["ce_source"])]}:
            wrong.add(f"{topic} {kind}: written by {headers['ce_source']}")
    return seen, sorted(wrong)


def _untold(topic: str, kind: str, value: bytes, headers: dict[str, str]) -> set[str]:
    fields, known = _validator(topic, kind).schema["properties"], SCHEMA["properties"]
    return {name for name in json.loads(value) if name not in fields} | {name for name in headers if name not in known}


def _writer(source: str) -> str:
    """The service behind a ``ce_source``; what clients name is ingest's."""
    if source == WRITTEN_BY_INGEST or not source.startswith("tabiji/"):
        return "ingest"
    return source.split("/")[1]


_VALIDATORS: dict[str, Any] = {}


def _validator(topic: str, kind: str) -> Any:
    name = f"{topic}.{kind}.json"
    if name not in _VALIDATORS:
        schema = json.loads((DOCS / "schemas" / name).read_text("utf-8"))
        _VALIDATORS[name] = jsonschema.Draft202012Validator(schema)
    return _VALIDATORS[name]
