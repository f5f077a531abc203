"""Each run has a database, a topic prefix and a folder of its own; the last run's are dropped when the next begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from tabiji_cli.local import Stack
from tabiji_cli.stack.cleaning import delete_topics


class LiveRows(Exception):
    """The database that the run would use is there already, with rows in it."""


@dataclass(frozen=True)
class Run:
    """What belongs to one run."""

    number: int
    database: str
    prefix: str
    folder: Path

    @classmethod
    def numbered(cls, home: Path, number: int) -> Run:
        """Run ``number`` of this home."""
        return cls(number, f"tabiji_demo_{number}", f"demo{number}.", home / "demo" / f"run-{number}")

    @property
    def accepted(self) -> Path:
        """What ingest answered with 200."""
        return self.folder / "accepted.jsonl"

    @property
    def mails(self) -> Path:
        """What the mailbox took."""
        return self.folder / "mailbox.jsonl"

    @property
    def letters(self) -> Path:
        """Some of the mails, whole."""
        return self.folder / "mails"

    @property
    def reactions(self) -> Path:
        """What readers did, and the answers."""
        return self.folder / "reactions.jsonl"


async def begin(stack: Stack) -> Run:
    """Drop the last run of this home and make room for the next; raises ``LiveRows`` rather than use rows of others."""
    last = _last(stack.home)
    if last:
        await drop(stack, Run.numbered(stack.home, last))
    run = Run.numbered(stack.home, last + 1)
    if await _has_rows(stack, run):
        raise LiveRows(
            f"database {run.database} has rows that no run of this folder made; drop it, or remove {run.folder.parent}"
        )
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True)
    _marker(stack.home).write_text(str(run.number), "ascii")
    return run


async def drop(stack: Stack, run: Run) -> None:
    """Remove a run's database, topics and files; harmless where they are gone."""
    connection = await asyncpg.connect(stack.postgres.dsn())
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{run.database}" WITH (FORCE)')
    finally:
        await connection.close()
    await delete_topics(stack.kafka.bootstrap, run.prefix)
    shutil.rmtree(run.folder, ignore_errors=True)


async def create_database(stack: Stack, run: Run) -> str:
    """The run's own database, empty; its dsn."""
    connection = await asyncpg.connect(stack.postgres.dsn())
    try:
        await connection.execute(f'CREATE DATABASE "{run.database}"')
    finally:
        await connection.close()
    return stack.postgres.dsn(run.database)


async def _has_rows(stack: Stack, run: Run) -> bool:
    """Whether that database is there; an empty one is removed."""
    connection = await asyncpg.connect(stack.postgres.dsn())
    try:
        there = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", run.database)
    finally:
        await connection.close()
    if not there:
        return False
    inside = await asyncpg.connect(stack.postgres.dsn(run.database))
    try:
        tables = await inside.fetchval("SELECT count(*) FROM pg_stat_user_tables WHERE schemaname <> 'public'")
    finally:
        await inside.close()
    if not tables:
        await drop(stack, run)
    return bool(tables)


def _marker(home: Path) -> Path:
    return home / "demo" / "last"


def _last(home: Path) -> int:
    try:
        return msgspec.json.decode(_marker(home).read_bytes(), type=int)
    except (FileNotFoundError, msgspec.MsgspecError):
        return 0
