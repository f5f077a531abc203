"""The newest records of a topic, for people who look: no group, and nothing is committed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from tabiji_common.errors import TabijiError
from tabiji_common.kafka.client import Cluster
from tabiji_common.settings import Settings

PATIENCE_MS = 10_000


class ReadFailed(TabijiError):
    """There is no such topic, or no broker."""


def newest(name: str, limit: int) -> list[str]:
    """The last ``limit`` records of ``name`` in the order of their log times, one JSON object each."""
    return [json.dumps(_told(record), ensure_ascii=False) for record in asyncio.run(_read(Settings(), name, limit))]


async def _read(settings: Settings, name: str, limit: int) -> list[Any]:
    cluster = Cluster.of(settings)
    places = await _places(cluster, cluster.name(name))
    reader = cluster.reader()
    try:
        await reader.start()
        reader.assign(places)
        first, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
        for place in places:
            reader.seek(place, max(first[place], ends[place] - limit))
        found: list[Any] = []
        while any([await reader.position(place) < ends[place] for place in places]):
            for records in (await reader.getmany(timeout_ms=PATIENCE_MS)).values():
                found += records
        return sorted(found, key=lambda record: (record.timestamp, record.partition, record.offset))[-limit:]
    finally:
        await reader.stop()


async def _places(cluster: Cluster, topic: str) -> list[TopicPartition]:
    asked = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        await asked.start()
        if topic not in await asked.list_topics():
            raise ReadFailed(f"there is no topic {topic}: tabiji topics lists them")
        (found,) = await asked.describe_topics([topic])
    except KafkaConnectionError as error:
        raise ReadFailed(f"no broker at {cluster.bootstrap} (TABIJI_KAFKA_BOOTSTRAP)") from error
    finally:
        await asked.close()
    return [TopicPartition(topic, one["partition"]) for one in found["partitions"]]


def _told(record: Any) -> dict[str, Any]:
    value = (record.value or b"").decode(errors="replace")
    try:
        body = json.loads(value)
    except ValueError:
        body = value
    return {
        "partition": record.partition,
        "offset": record.offset,
        "key": (record.key or b"").decode(errors="replace"),
        **{name: text.decode(errors="replace") for name, text in record.headers},
        "value": body,
    }
