"""Audit: which operator changed what in any service, the newest first."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api.visit import Visiting
from tabiji_console.domain.audit import act

router = APIRouter()

HERE = "/health/audit"
PAGE = 50


@router.get(HERE)
async def page(visit: Visiting, before: int | None = None) -> Response:
    """What was written down, a page at a time."""
    rows = await visit.services.ask("ingest", "/v1/audit", {"limit": PAGE, "before": before})
    older = f"{HERE}?before={rows[-1]['id']}" if len(rows) == PAGE else ""
    return visit.page("audit.html", "health", acts=[{**row, "act": act(row["what"])} for row in rows], older=older)
