"""Operators' HTTP of ingest: write keys, and who changed what in the whole installation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from tabiji_common.guard import tell
from tabiji_common.operators import Scope
from tabiji_common.web import Refused
from tabiji_ingest.adapters.postgres_desk import LONGEST_GRACE, Row, WriteKeyDesk

_DAY = 86400.0


class KeyRequest(BaseModel):
    workspace: str
    scope: Literal["live", "backfill"] = "live"
    name: str = ""


class RotateRequest(BaseModel):
    grace_seconds: float = Field(_DAY, ge=0, le=LONGEST_GRACE.total_seconds())


class Rule(BaseModel):
    field: str
    rule: str


class Told(BaseModel):
    error: Rule


def needs(_method: str, path: str) -> Scope | None:
    """The operator key that a route takes: clients' routes take a write key, a link's token is the whole permission."""
    if path == "/v1/keys" or path.startswith("/v1/keys/"):
        return "admin"
    return "read" if path == "/v1/audit" else None


def add_desk(app: FastAPI, desk: WriteKeyDesk) -> None:
    """``/v1/keys`` and ``/v1/audit``."""
    told: dict[int | str, dict[str, Any]] = {status: {"model": Told} for status in (401, 403, 404, 422, 503)}

    @app.get("/v1/keys", responses=told)
    async def keys(workspace: str | None = None) -> list[Row]:
        """Write keys by ``id``, which opens nothing; ``open`` is whether one works now."""
        return list(await desk.listed(_text(workspace, "workspace") if workspace else None))

    @app.post("/v1/keys", status_code=201, responses=told)
    async def create(asked: KeyRequest, request: Request) -> Row:
        """A new write key, shown this once."""
        try:
            made = await desk.create(asked.workspace, asked.scope, asked.name)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        tell(request, made["id"])
        return made

    @app.post("/v1/keys/{id}/rotate", status_code=201, responses=told)
    async def rotate(id: str, asked: RotateRequest, request: Request) -> Row:  # noqa: A002 - the parameter's name
        """A new key in its place, shown this once; the old one works until ``grace_seconds`` are over."""
        made = await desk.rotate(_text(id, "id"), timedelta(seconds=asked.grace_seconds))
        if made is None:
            raise Refused(404, "no such key is open", "id")
        tell(request, made["id"])
        return made

    @app.delete("/v1/keys/{id}", responses=told)
    async def revoke(id: str) -> dict[str, bool]:  # noqa: A002 - the parameter's name
        """Close a write key for good; it stops within seconds."""
        if not await desk.revoke(_text(id, "id")):
            raise Refused(404, "no such key is open", "id")
        return {"revoked": True}

    @app.get("/v1/audit", responses=told)
    async def audit(limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: int | None = None) -> list[Row]:
        """Which operator key changed what in any service, the newest first; page with ``before`` = the last ``id``."""
        return list(await desk.audit(limit, before))


def _text(text: str, field: str) -> str:
    if "\0" in text:
        raise Refused(422, "must be text without NUL", field)
    return text
