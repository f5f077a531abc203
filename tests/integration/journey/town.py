"""Journey services as processes on the real broker and database."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from tabiji_cli.stack.ports import free_port
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.producer import Producer
from tabiji_common.settings import Settings
from tabiji_common.topics import Record
from tests.operator import BEARER


@dataclass
class Journey:
    """One journey process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str, *, admin: bool = False) -> Any:
        url = f"http://127.0.0.1:{self.port + 1000 * admin}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=BEARER), timeout=30) as answer:
            return json.load(answer)

    def kill(self) -> None:
        if self.alive:
            self.process.kill()
        self.process.wait()


@dataclass
class Town:
    """One installation: a database, a topic prefix, and the processes of a test."""

    settings: Settings
    home: Path
    services: list[Journey] = field(default_factory=list)

    def start(self, failpoints: str = "") -> Journey:
        port = free_port()
        log = self.home / f"journey{len(self.services)}.log"
        environment = {
            **os.environ,
            "TABIJI_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "TABIJI_POSTGRES_DSN": self.settings.postgres_dsn,
            "TABIJI_TOPIC_PREFIX": self.settings.topic_prefix,
            "TABIJI_WORKSPACE_SECRET": "of this town",
            "TABIJI_PARTITIONS": str(self.settings.partitions),
            "TABIJI_PORT": str(port),
            "TABIJI_PUBLISH_SHIPPED": "false",
            "TABIJI_FAILPOINTS": failpoints,
        }
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tabiji_journey"], env=environment, stderr=out, stdout=out
            )
        self.services.append(Journey(process, port, log))
        return self.services[-1]

    async def send(self, *records: Record[Any]) -> None:
        producer = Producer(Cluster.of(self.settings))
        try:
            await producer.append(records)
        finally:
            await producer.stop()

    async def published(self, topic: str) -> dict[str, Any]:
        """By ce_id, the values in a topic: a repeat on the wire is one."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(self.settings.topic_prefix + topic, p) for p in range(self.settings.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning()
            found: dict[str, Any] = {}
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found |= {dict(r.headers)["ce_id"].decode(): msgspec.json.decode(r.value or b"") for r in batch}
            return found
        finally:
            await consumer.stop()

    async def settle(self, seconds: float = 120) -> None:
        """Until the living own every number and everything is applied and published, twice in a row."""
        deadline, last = time.monotonic() + seconds, None
        looks: list[Any] = []
        while time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            looks = [self._idle(service) for service in self.services if service.alive]
            quiet = all(
                look and "lag" in look and not (look["lag"] or look["unpublished"] or look["busy"] or look["due"])
                for look in looks
            )
            owned = sorted(p for look in looks if look for p in look.get("owned", ()))
            if not quiet or owned != list(range(self.settings.partitions)):
                last = None
                continue
            now = [look["work"] for look in looks]
            if now == last:
                return
            last = now
        raise AssertionError(f"not settled: {looks}\n" + "\n".join(s.log.read_text()[-3000:] for s in self.services))

    @staticmethod
    def _idle(service: Journey) -> Any:
        try:
            return service.get("/idle", admin=True)
        except OSError:
            return None

    def close(self) -> None:
        for service in self.services:
            service.kill()
