"""Journeys: the list of them, and each one's map."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api.visit import Missing, Visiting

router = APIRouter()


@router.get("/journeys")
async def listing(visit: Visiting) -> Response:
    """Every journey of the shop, with how many people are where."""
    services = visit.services
    found, standing = await asyncio.gather(
        services.ask("journey", "/v1/journeys", {"workspace": visit.workspace}),
        visit.maybe(services.ask("journey", "/v1/conservation")),
    )
    rows = {} if isinstance(standing, Missing) else _by_journey(standing["journeys"], visit.workspace)
    return visit.page("journeys.html", "journeys", journeys=found["journeys"], standing=rows)


def _by_journey(rows: list[dict[str, Any]], workspace: str) -> dict[str, dict[str, Any]]:
    return {
        row["journey"]: {**row, "left": sum(row["exited"].values()), "lost": abs(row["balance"]) + row["stuck"]}
        for row in rows
        if row["workspace"] == workspace
    }
