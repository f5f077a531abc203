"""HTTP that all services share: how a refusal looks."""

from __future__ import annotations

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tabiji_common.errors import Retry
from tabiji_common.postgres import is_transient


class Refused(Exception):
    """A request that breaks a rule: answered with ``status`` and ``{"error": {"field", "rule"}}``."""

    def __init__(self, status: int, rule: str, field: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(rule)
        self.status = status
        self.rule = rule
        self.field = field
        self.retry_after = retry_after


def refusal(status: int, rule: str, field: str = "", *, retry_after: int | None = None) -> JSONResponse:
    """The JSON answer of a refusal."""
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else None
    return JSONResponse({"error": {"field": field, "rule": rule}}, status_code=status, headers=headers)


def install_errors(app: FastAPI) -> None:
    """Make every refusal of ``app`` look the same: the field and the rule, never a trace.

    A log or a database that is away is 503 with ``Retry-After``; nobody is told that something was taken then.
    """

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)  # noqa: S101 - registered for this class only
        return refusal(error.status, error.rule, error.field, retry_after=error.retry_after)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
        first = error.errors()[0]
        return refusal(422, str(first["msg"]), ".".join(str(part) for part in first["loc"]))

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
        answer = refusal(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})  # RFC 9110, 15.5.6: a 405 says which methods there are
        return answer

    async def untaken(_: Request, __: Exception) -> JSONResponse:
        return refusal(503, "the log did not take it; ask again, with the same Idempotency-Key", retry_after=1)

    async def away(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, asyncpg.CharacterNotInRepertoireError):
            return refusal(400, "must be text without NUL")
        if not is_transient(error):
            raise error
        return refusal(503, "the database does not answer", retry_after=1)

    app.add_exception_handler(Retry, untaken)
    for infrastructure in (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        app.add_exception_handler(infrastructure, away)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
