"""Three real brokers that form one cluster: replication 3, two of them in sync or there is no ack."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from tabiji_cli.stack.kafka import KafkaServer, Node
from tabiji_cli.stack.ports import free_port

REPLICAS = 3


class Trio:
    """Calls block. What a run killed is started again by ``start``."""

    def __init__(self, home: Path) -> None:
        voters = tuple((number, free_port()) for number in range(1, REPLICAS + 1))
        self.brokers = {number: KafkaServer(home, free_port(), node=Node(number, voters)) for number, _ in voters}
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers.values())

    def start(self) -> None:
        """All that do not run: at once, for one alone is no majority."""
        with ThreadPoolExecutor(REPLICAS) as pool:
            list(pool.map(KafkaServer.start, self.brokers.values()))

    def stop(self) -> None:
        for broker in self.brokers.values():
            with suppress(Exception):
                broker.kill()

    async def leader(self, topic: str, partition: int = 0) -> int:
        """Which broker leads."""
        return int((await self._describe(topic))[partition]["leader"])

    async def whole(self, topic: str) -> bool:
        """Whether each partition has all replicas in sync."""
        return all(len(found["isr"]) == REPLICAS for found in await self._describe(topic))

    async def _describe(self, topic: str) -> list[dict[str, Any]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = (await admin.describe_topics([topic]))[0]["partitions"]
        finally:
            await admin.close()
        return sorted(found, key=lambda one: int(one["partition"]))
