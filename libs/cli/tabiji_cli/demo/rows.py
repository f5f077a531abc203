"""What the services' own rows say at one moment: people by state, deliveries by outcome, who is stuck or parked."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from tabiji_cli.demo.evidence import Delivery, JourneyCount
from tabiji_cli.demo.experiments import Moves
from tabiji_common.postgres import Connection

_ENTERED = "SELECT journey, count(*) AS n FROM journey.entry_ledger GROUP BY journey ORDER BY journey"
_STANDING = (
    "SELECT journey, status, state, reason, count(*) AS n FROM journey.enrollment GROUP BY 1, 2, 3, 4 ORDER BY n DESC"
)
_COUNTED = """
SELECT journey, status, state, reason, sum(n)::bigint AS n FROM journey.state_count GROUP BY 1, 2, 3, 4 ORDER BY n DESC
"""
_CONVERTED = """
SELECT e.journey, count(*) AS n FROM journey.transition t JOIN journey.enrollment e ON e.id = t.enrollment
WHERE t.kind = 'converted' GROUP BY 1
"""
_TIMEOUTS = "SELECT count(*) FROM journey.transition WHERE cause = 'timer' AND kind IN ('moved', 'finished')"
_MOVES = """
SELECT journey, holdout, arms, what, coalesce(from_state, '') AS from_state, array_agg(DISTINCT customer) AS customers
FROM analytics.transition_fact WHERE what IN ('entered', 'moved', 'converted') GROUP BY 1, 2, 3, 4, 5
"""
_STUCK = """
SELECT count(*) FROM journey.enrollment e LEFT JOIN journey.timer t ON t.enrollment = e.id
WHERE e.status = 'waiting' AND (t.enrollment IS NULL OR (t.due_at <= $1 AND NOT t.held))
"""
_DELIVERIES = "SELECT message_key, customer, journey, template, channel, state, reason FROM dispatch.delivery"
_OUTCOMES = "SELECT state, reason, count(*) AS n FROM dispatch.delivery GROUP BY 1, 2 ORDER BY state, n DESC"
_PARKED = """
SELECT (SELECT count(*) FROM journey.parked) + (SELECT count(*) FROM dispatch.parked)
     + (SELECT count(*) FROM analytics.parked)
"""


async def journeys(connection: Connection, *, exact: bool = True) -> list[JourneyCount]:
    """People in every journey, counted row by row; not ``exact`` reads the kept counts, for a picture."""
    entered = {row["journey"]: row["n"] for row in await connection.fetch(_ENTERED)}
    converted = {row["journey"]: row["n"] for row in await connection.fetch(_CONVERTED)} if exact else {}
    where: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for row in await connection.fetch(_STANDING if exact else _COUNTED):
        name = row["reason"] if row["status"] == "exited" else row["state"]
        where[row["journey"]][row["status"]][name] += row["n"]
    return [
        JourneyCount(
            journey,
            entered.get(journey, 0),
            {name: n for name, n in where[journey]["waiting"].items() if n},
            sum(where[journey]["finished"].values()),
            {name: n for name, n in where[journey]["exited"].items() if n},
            converted.get(journey, 0),
        )
        for journey in sorted(entered.keys() | where.keys())
    ]


async def deliveries(connection: Connection) -> dict[str, Delivery]:
    """Every delivery by its message key."""
    return {row["message_key"]: Delivery(*row) for row in await connection.fetch(_DELIVERIES)}


async def outcomes(connection: Connection) -> dict[str, int]:
    """How many deliveries stand where, and why."""
    return {f"{row['state']} {row['reason']}".strip(): row["n"] for row in await connection.fetch(_OUTCOMES)}


async def moves(connection: Connection) -> list[Moves]:
    """Who entered, moved and converted, as analytics was told."""
    return [
        Moves(row["journey"], row["holdout"], row["arms"], row["what"], row["from_state"], frozenset(row["customers"]))
        for row in await connection.fetch(_MOVES)
    ]


async def stuck(connection: Connection, now: datetime) -> int:
    """Enrollments that wait and have no timer, or one that should have fired by ``now``."""
    return int(await connection.fetchval(_STUCK, now))


async def parked(connection: Connection) -> int:
    """Parked customers of all services."""
    return int(await connection.fetchval(_PARKED))


async def timeouts(connection: Connection) -> int:
    """Moves that a timer caused."""
    return int(await connection.fetchval(_TIMEOUTS))
