"""Creating topics: the same partition count everywhere, LogAppendTime, retention by topic."""

from __future__ import annotations

import contextlib

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from tabiji_common.errors import Misconfigured, Retry
from tabiji_common.kafka.client import Cluster
from tabiji_common.settings import Settings
from tabiji_common.topics import (
    ANALYTICS_COMMANDS,
    ANALYTICS_HANDOVERS,
    CUSTOMERS,
    DISPATCH_COMMANDS,
    ENGAGEMENTS,
    EVENT_TOPICS,
    JOURNEY_COMMANDS,
    OUTCOMES,
    SENDS,
    TOPICS,
    TRANSITIONS,
    anchor_name,
    dead_letter_name,
)

GROUPS: dict[str, tuple[str, ...]] = {
    "journey": tuple(topic.name for topic in (*EVENT_TOPICS, JOURNEY_COMMANDS, OUTCOMES)),
    "dispatch": tuple(topic.name for topic in (SENDS, DISPATCH_COMMANDS, CUSTOMERS, ENGAGEMENTS)),
    "analytics": tuple(
        topic.name for topic in (*EVENT_TOPICS, ANALYTICS_COMMANDS, ANALYTICS_HANDOVERS, TRANSITIONS, OUTCOMES)
    ),
}


def topic_names() -> dict[str, dict[str, str]]:
    """Every topic of an installation, without prefix, with its configuration."""
    made = {
        name: {
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
        }
        for name, topic in TOPICS.items()
    }
    for group, inputs in GROUPS.items():
        made[anchor_name(group)] = {"message.timestamp.type": "LogAppendTime"}
        for name in inputs:
            made[dead_letter_name(name, group)] = {
                "message.timestamp.type": "LogAppendTime",
                "retention.ms": "-1",
            }
    return made


async def create_topics(settings: Settings, *, extra: dict[str, dict[str, str]] | None = None) -> list[str]:
    """Create what is missing of an installation's topics and ``extra``; see ``create``."""
    return await create(settings, {**topic_names(), **(extra or {})})


async def create(settings: Settings, topics: dict[str, dict[str, str]]) -> list[str]:
    """Create what is missing of ``topics`` (name without prefix → configuration); the full names created.

    Raises ``Misconfigured`` where a topic has another partition count, ``Retry`` where no broker answers.
    """
    cluster = Cluster.of(settings)
    wanted = {cluster.name(name): config for name, config in topics.items()}
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        new = [
            NewTopic(name, settings.partitions, settings.replication, topic_configs=config)
            for name, config in wanted.items()
            if name not in there
        ]
        if new:
            answer = await admin.create_topics(new)
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise Misconfigured(f"topic {name} was not created: {error.__name__}")
        for found in await admin.describe_topics(sorted(set(wanted) & there)):
            if len(found["partitions"]) != settings.partitions:
                raise Misconfigured(
                    f"topic {found['topic']} has {len(found['partitions'])} partitions,"
                    f" TABIJI_PARTITIONS says {settings.partitions}"
                )
    except (KafkaError, OSError) as error:
        raise Retry(f"topics were not created: {error!r}") from error
    finally:
        with contextlib.suppress(Exception):
            await admin.close()
    return [topic.name for topic in new]
