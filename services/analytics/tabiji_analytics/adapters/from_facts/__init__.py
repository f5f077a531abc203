"""Every view once more, in plain SQL over facts: the second opinion that the rollups are held to.

Written apart from the fold and from the views: nothing here reads a cell. Parameters: $1 zones, $2 a workspace, or null
for all. Also answers for zones that nobody rolled up.
"""

from functools import cache
from pathlib import Path


@cache
def query(name: str) -> str:
    """The query in ``<name>.sql``, on top of what is common to all."""
    folder = Path(__file__).parent
    common, own = ((folder / f"{part}.sql").read_text("utf-8").strip() for part in ("common", name))
    return f"WITH {common}, {own.removeprefix('WITH ')}" if own.startswith("WITH ") else f"WITH {common} {own}"
