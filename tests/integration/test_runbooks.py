"""What a runbook tells people to ask of the database is understood by it."""

import asyncio
import re
import shlex

import asyncpg

from tabiji_cli.migrate import scripts
from tabiji_common.postgres import migrate
from tests.architecture.test_alerts import RUNBOOKS, commands


def queries() -> dict[str, str]:
    """The SQL of every `psql` line, by its page."""
    lines = [(path.stem, line) for path in sorted(RUNBOOKS.glob("*.md")) for line in commands(path.read_text("utf-8"))]
    return {page: shlex.split(line)[3] for page, line in lines if re.match(r"psql ", line)}


async def explained(dsn: str, asked: dict[str, str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for query in asked.values():
            await connection.execute(f"EXPLAIN {query}")
    finally:
        await connection.close()


def test_the_queries_of_runbooks_are_understood(database: str) -> None:
    for name, folder in scripts().items():
        migrate(database, name, folder)
    asked = queries()
    assert len(asked) >= 5
    asyncio.run(explained(database, asked))
