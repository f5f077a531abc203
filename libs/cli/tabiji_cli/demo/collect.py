"""The end of a run -> evidence: the driver's files read back, the services' rows, the views over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import asyncpg
import httpx
import msgspec

from tabiji_cli import ledger
from tabiji_cli.demo import expected, rows
from tabiji_cli.demo.checks import ZONES
from tabiji_cli.demo.evidence import Evidence, Row
from tabiji_cli.demo.experiments import arms
from tabiji_cli.demo.runs import Run
from tabiji_cli.processes import Installation
from tabiji_cli.services import topics
from tabiji_cli.view import rows_of
from tabiji_common.kafka.client import Cluster
from tabiji_common.kafka.log import KafkaProbes

ZONED = ("retention_monthly", "ltv_by_cohort", "new_vs_existing")
PLAIN = ("repeat_purchase", "ltv_by_medium", "journey_funnel", "message_outcomes")


async def collect(
    run: Run, installation: Installation, client: httpx.AsyncClient, now: datetime, known: dict[str, int]
) -> Evidence:
    """Everything there is to know of a run that has ended at ``now``."""
    accepted = list(ledger.read(run.accepted, ledger.Accepted))
    connection = await asyncpg.connect(installation.dsn)
    try:
        tables = await _tables(client, installation.url("analytics"))
        return Evidence(
            events=Counter(row.kind for row in accepted),
            orders=expected.orders_of(accepted),
            consents=_consents(accepted, "consent_given"),
            line_consents=_consents(accepted, "line_consent_given"),
            taken_in={row.bill.order_id: row.at for row in reversed(accepted) if row.bill is not None},
            mails=list(ledger.read(run.mails, ledger.Mail)),
            reactions=list(ledger.read(run.reactions, ledger.Reaction)),
            deliveries=await rows.deliveries(connection),
            tables=tables,
            journeys=await rows.journeys(connection),
            arms=arms(await rows.moves(connection)),
            timeouts=await rows.timeouts(connection),
            drift=await _drift(client, installation.url("analytics")),
            stuck=await rows.stuck(connection, now),
            parked=await rows.parked(connection),
            dead_letters=await _dead_letters(installation),
            known=known,
        )
    finally:
        await connection.close()


def _consents(accepted: Iterable[ledger.Accepted], kind: str) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for row in accepted:
        if row.kind == kind:
            found.setdefault(row.customer, row.occurred_at)
    return found


async def _tables(client: httpx.AsyncClient, url: str) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    for name in ZONED:
        for zone in ZONES:
            tables[f"{name}@{zone}"] = await _view(client, url, name, {"tz": zone})
    for name in PLAIN:
        tables[name] = await _view(client, url, name, {})
    return tables


async def _view(client: httpx.AsyncClient, url: str, name: str, parameters: dict[str, str]) -> list[Row]:
    answer = await client.get(f"{url}/v1/views/{name}", params=parameters)
    answer.raise_for_status()
    return list(rows_of(answer.content))


async def _drift(client: httpx.AsyncClient, url: str) -> int:
    """Cells in which any view differs from its recomputation."""
    answer = await client.post(f"{url}/v1/recompute", timeout=300)
    answer.raise_for_status()
    return int(msgspec.json.decode(answer.content)["drift"])


async def _dead_letters(installation: Installation) -> int:
    """Records in all dead-letter topics of the run."""
    names = [name for name in topics() if name.endswith(".dlq")]
    probes = KafkaProbes(Cluster.of(installation.settings()))
    try:
        await probes.start()
        places = [(name, p) for name in names for p in range(installation.partitions)]
        return sum((await probes.ends(places)).values())
    finally:
        await probes.stop()
