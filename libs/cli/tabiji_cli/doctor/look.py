"""A look at an installation: this machine, the database, the log, and every service's ports."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from alembic.config import Config
from alembic.script import ScriptDirectory

from tabiji_cli import keys, migrate
from tabiji_cli.dlq import desk
from tabiji_cli.doctor import findings
from tabiji_cli.doctor.findings import Finding
from tabiji_cli.http import client
from tabiji_cli.keyring import dsn
from tabiji_cli.services import SERVICES, topics
from tabiji_cli.stack.home import default_home
from tabiji_common.clock import LiveClock
from tabiji_common.errors import Retry
from tabiji_common.kafka.admin import differing
from tabiji_common.settings import Settings

MOST = 1000


async def look() -> list[Finding]:
    """Everything that can be seen from here. Nothing is changed."""
    home = default_home()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    found = [findings.disk(shutil.disk_usage(existing).free, str(home))]
    found += await _database(dsn())
    try:
        found.append(findings.topics(await differing(_settings(), topics())))
    except Retry:
        found.append(findings.topics(None))
    async with client(10, keys.bearer(keys.operator())) as http:
        for service in SERVICES:
            found += await _service(http, service)
        found += [one async for one in _people(http)]
    return found


def _settings() -> Settings:
    """What is set, else what the last ``tabiji up`` had."""
    kept = (known.addresses if (known := keys.known()) else {}) or {}
    fields = {"kafka_bootstrap": "kafka", "topic_prefix": "prefix", "partitions": "partitions"}
    plain = Settings()
    here: dict[str, Any] = {
        name: kept[key] for name, key in fields.items() if name not in plain.model_fields_set and key in kept
    }
    return Settings(**here)


async def _database(where: str) -> list[Finding]:
    try:
        connection = await asyncpg.connect(where, timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return [findings.postgres("")]
    try:
        found = [findings.postgres(str(await connection.fetchval("SHOW server_version")))]
        for service, folder in migrate.scripts().items():
            found.append(findings.migrations(service, await _version(connection, service), _newest(folder)))
        return found
    finally:
        await connection.close()


async def _version(connection: Any, schema: str) -> str | None:
    try:
        told = await connection.fetchval(f'SELECT version_num FROM "{schema}".alembic_version')  # noqa: S608 - a service's name
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return None if told is None else str(told)


def _newest(folder: Path) -> str:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return str(ScriptDirectory.from_config(config).get_current_head())


async def _service(http: httpx.AsyncClient, service: str) -> list[Finding]:
    admin = keys.admin_address(service)
    told = await _json(http, f"{admin}/readyz")
    found = [findings.ready(service, admin, told)]
    if told is None:
        return found
    if service == SERVICES[0]:
        found.append(findings.durability(str(told.get("durability"))))
    idle = await _json(http, f"{admin}/idle")
    if idle and "lag" in idle:
        alive = await _json(http, f"{admin}/livez") or {}
        here, now = LiveClock().wall(), datetime.fromisoformat(str(idle["now"]))
        found.append(findings.clock(service, now, here, simulated=bool(idle.get("simulated"))))
        found += findings.work(service, idle, alive.get("status") == "stalled")
    restore = await _json(http, f"{admin}/restore")
    if restore and "why" in restore:
        found.append(findings.restored(service, str(restore["why"])))
    return found


async def _people(http: httpx.AsyncClient) -> AsyncIterator[Finding]:
    try:
        answer = await http.get(f"{keys.address('journey')}/v1/conservation")
        yield findings.key(answer.status_code)
        if answer.status_code == httpx.codes.OK:
            yield findings.stuck(int(answer.json()["lost"]))
        answer = await http.get(f"{keys.address('dispatch')}/v1/unknown", params={"limit": MOST})
        if answer.status_code == httpx.codes.OK:
            yield findings.unknown(len(answer.json()), MOST)
        asked: dict[str, str | int] = {"state": "dead", "limit": 1}
        answers = [await http.get(f"{keys.address(service)}{desk.PATH}", params=asked) for service in desk.SERVICES]
        if all(answer.status_code == httpx.codes.OK for answer in answers):
            yield findings.dead_letters(sum(answer.json()["total"] for answer in answers))
    except httpx.TransportError:
        return  # that they do not answer was said above


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    """The JSON object at ``url``, whatever its status; ``None`` where nobody answers."""
    try:
        return dict((await http.get(url)).json())
    except (httpx.TransportError, ValueError, TypeError):
        return None
