"""Dead letters: what each service could not apply, one as it was received, and a replay that is asked about first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from tabiji_console.api.visit import Form, Missing, Visit, Visiting
from tabiji_console.domain import letters
from tabiji_console.ports import Declined, Query
from tabiji_console.settings import STATEFUL

router = APIRouter()

PATH = "/v1/dead-letters"
HERE = "/health/letters"
PAGE = 50


async def groups(visit: Visit) -> tuple[list[dict[str, Any]], list[str]]:
    """(dead letters by service, topic and reason, services that do not answer)."""
    told = await asyncio.gather(*(visit.maybe(visit.services.ask(service, f"{PATH}/groups")) for service in STATEFUL))
    rows = [
        {**row, "service": service}
        for service, answer in zip(STATEFUL, told, strict=True)
        if not isinstance(answer, Missing)
        for row in answer["groups"]
    ]
    return rows, [answer.service for answer in told if isinstance(answer, Missing)]


@router.get(HERE)
async def page(
    visit: Visiting,
    service: str,
    topic: str = "",
    reason: str = "",
    after: str = "",
    asked: int = -1,
    before: int = 0,
    refused: int = 0,
    left: int = 0,
) -> Response:
    """Those of one service, by topic and reason: one line each."""
    query: Query = {"topic": topic, "reason": reason, "after": after, "limit": PAGE}
    found = await visit.services.ask(_known(service), PATH, query)
    chosen = {"service": service, "topic": topic, "reason": reason}
    return visit.page(
        "letters.html",
        "health",
        chosen=chosen,
        found=found,
        older=f"{HERE}?{urlencode({**chosen, 'after': found['next']})}" if found["next"] else "",
        done={"asked": asked, "before": before, "refused": refused, "left": left} if asked >= 0 else {},
    )


@router.get(HERE + "/{service}/{id}")
async def one(
    visit: Visiting,
    service: str,
    id: str,  # noqa: A002 - the path's name
    asked: int = -1,
    before: int = 0,
    refused: int = 0,
) -> Response:
    """One as it was received."""
    found = await visit.services.ask(_known(service), f"{PATH}/{quote(id, safe='')}")
    body = found["text"] if found["body"] is None else msgspec.json.format(msgspec.json.encode(found["body"])).decode()
    done = {"asked": asked, "before": before, "refused": refused, "left": 0} if asked >= 0 else {}
    return visit.page("letter.html", "health", service=service, one=found, body=body, done=done)


@router.post(HERE + "/replay")
async def replay(visit: Visiting, form: Form) -> Response:
    """Have one, or all of a topic and reason, applied once more: asked twice, then written down."""
    service, id_ = _known(form.get("service", "")), form.get("id", "")
    back = f"{HERE}/{service}/{quote(id_, safe='')}" if id_ else HERE
    chosen = {name: form.get(name, "") for name in ("service", "topic", "reason")}
    if form.get("sure") != "yes":
        fields = {**chosen, "id": id_, "key": letters.called(chosen)}
        to = back if id_ else f"{HERE}?{urlencode(chosen)}"
        return visit.page("sure.html", "health", what="replay", fields=fields, to=f"{HERE}/replay", back=to)
    wanted: Mapping[str, Any] = {"ids": [id_]} if id_ else letters.wanted(chosen)
    told = await visit.services.tell(service, "POST", f"{PATH}/replay", wanted)
    return visit.back(f"{back}?{urlencode({**({} if id_ else chosen), **letters.came_to(told)})}")


def _known(service: str) -> str:
    if service not in STATEFUL:
        raise Declined("console", 404, f"no service {service!r} keeps dead letters")
    return service
