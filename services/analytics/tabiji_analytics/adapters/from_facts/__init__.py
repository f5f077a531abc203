"""Every view once more, in plain SQL over facts: the second opinion that the rollups are held to.

Written apart from the fold and from the views: nothing here reads a cell. Parameters: $1 zones, $2 a workspace, or null
for all. Also answers for zones that nobody rolled up.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import asyncpg

from tabiji_common.postgres import Connection

# All facts are read, so a nested loop over a CTE is never right, and one was picked where statistics were a minute old:
# four minutes for 40,000 orders, in a snapshot that kept every table from being cleaned up.
PLANNER = "SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'"


@cache
def query(name: str) -> str:
    """The query in ``<name>.sql``, on top of what is common to all."""
    folder = Path(__file__).parent
    common, own = ((folder / f"{part}.sql").read_text("utf-8").strip() for part in ("common", name))
    return f"WITH {common}, {own.removeprefix('WITH ')}" if own.startswith("WITH ") else f"WITH {common} {own}"


async def fetch(connection: Connection, name: str, zones: Sequence[str], workspace: str | None) -> list[asyncpg.Record]:
    """The rows of ``<name>.sql``, planned for reading everything."""
    async with connection.transaction():
        await connection.execute(PLANNER)
        return list(await connection.fetch(query(name), list(zones), workspace))
