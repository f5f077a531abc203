"""Creating topics: the same partition count everywhere, LogAppendTime, retention by topic."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from tabiji_common.errors import Misconfigured, Retry
from tabiji_common.kafka.client import Cluster
from tabiji_common.settings import Settings
from tabiji_common.topics import Topic, anchor_name, dead_letter_name


def topic_names(
    groups: Mapping[str, Sequence[Topic[Any]]], topics: Mapping[str, Topic[Any]], stateful: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Every topic of an installation, without prefix, with its configuration.

    ``groups`` are inputs by service, ``stateful`` those of them that are assigned their partition numbers.
    """
    made = {
        name: {
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
        }
        for name, topic in topics.items()
    }
    for group, inputs in groups.items():
        if group in stateful:
            made[anchor_name(group)] = {"message.timestamp.type": "LogAppendTime"}
        for topic in inputs:
            made[dead_letter_name(topic.name, group)] = {
                "message.timestamp.type": "LogAppendTime",
                "retention.ms": "-1",
            }
    return made


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
        created: list[str] = []
        answers = (await admin.create_topics(new)).topic_errors if new else []
        for name, code, *_ in answers:
            error = for_code(code)
            if not code:
                created.append(name)
            elif error is not TopicAlreadyExistsError:  # the broker's list lags a moment behind
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
    return created


async def differing(settings: Settings, topics: dict[str, dict[str, str]]) -> dict[str, str]:
    """In which way topics are not as ``create`` would make them, by name without prefix; empty where all is right.

    Raises ``Retry`` where no broker answers.
    """
    cluster = Cluster.of(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        found = {name: "is missing" for name in topics if cluster.name(name) not in there}
        names = [cluster.name(name) for name in topics if name not in found]
        for one in await admin.describe_topics(names):
            if (count := len(one["partitions"])) != settings.partitions:
                found[cluster.plain(one["topic"])] = (
                    f"has {count} partitions, TABIJI_PARTITIONS says {settings.partitions}"
                )
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for answer in await admin.describe_configs(resources) if resources else []:
            for _, _, _, name, entries in answer.resources:
                set_ = {entry[0]: entry[1] for entry in entries}
                wrong = {k: v for k, v in topics[cluster.plain(name)].items() if set_.get(k) != v}
                if wrong:
                    told = ", ".join(f"{k} is {set_.get(k)} and not {v}" for k, v in sorted(wrong.items()))
                    found.setdefault(cluster.plain(name), told)
    except (KafkaError, OSError) as error:
        raise Retry(f"topics cannot be looked at: {error!r}") from error
    finally:
        with contextlib.suppress(Exception):
            await admin.close()
    return found
