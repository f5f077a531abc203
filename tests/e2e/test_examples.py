"""The requests that the services' OpenAPI documents show, and the quickstart's last: each is sent to a running system.

``RECORD=1`` writes what they were answered into the services' ``examples.json``.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tabiji_cli.processes import Ports
from tabiji_cli.services import SERVICES
from tabiji_common import examples
from tabiji_common.examples import Example
from tests.faults.system import NOON, System, system
from tests.integration.ingest.test_quickstart import PAGES, snippets

LONG = 2  # items of a list that are kept
KEEPS = ("journey", "dispatch", "analytics")  # dead letters
SILENT = "unsure@example.com"


class Unsure:
    """Answers nothing to a mail for SILENT: whether it was taken is unknown."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if SILENT in envelope.rcpt_tos:
            _server.transport.abort()
        return str(await self.inner(_server, _session, envelope))


def bought(customer: str, mail: str) -> list[dict[str, Any]]:
    """A customer who agrees and buys."""
    shared = {"userId": customer, "timestamp": NOON.isoformat()}
    events: list[dict[str, Any]] = [
        {"type": "identify", "traits": {"email": mail}},
        {"type": "track", "event": "Consent Given", "properties": {"channel": "email"}},
        {
            "type": "track",
            "event": "Order Completed",
            "properties": {"order_id": customer, "total": 1, "currency": "JPY"},
        },
    ]
    return [{**shared, **event, "messageId": f"{customer}/{n}"} for n, event in enumerate(events)]


def shape(value: Any) -> Any:
    """A value without its details: the keys of an object, of a list what it is made of, else the kind."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None if value is None else "number" if isinstance(value, int | float) else type(value).__name__


def differs(shown: Any, found: Any, at: str = "") -> str:
    """Where two shapes part, or empty; nothing and an empty list are like anything."""
    if shown in (None, []) or found in (None, []):
        return ""
    if isinstance(shown, dict) and isinstance(found, dict):
        if shown.keys() != found.keys():
            return f"{at}: {sorted(shown.keys() ^ found.keys())}"
        return next((told for key in shown if (told := differs(shown[key], found[key], f"{at}.{key}"))), "")
    if isinstance(shown, list) and isinstance(found, list):
        return differs(shown[0], found[0], f"{at}[]")
    return "" if shown == found else f"{at}: {shown} and {found}"


def short(value: Any) -> Any:
    """An answer as a document may show it: lists and texts are cut."""
    if isinstance(value, dict):
        return {key: short(inner) for key, inner in value.items()}
    if isinstance(value, str) and len(value) > 400:
        return f"{value[:400]}…"
    return [short(inner) for inner in value[:LONG]] if isinstance(value, list) else value


async def story(yard: System) -> None:
    """The quickstart's curls, one whose mail nobody knows the fate of, and some more."""
    text = next(text for text in snippets(PAGES[0], "sh") if "/v1/batch" in text)
    batch = json.loads(text[text.index("{") : text.rindex("}") + 1])["batch"]
    await yard.post([{**event, "timestamp": NOON.isoformat()} for event in batch])
    await yard.post(bought("unsure", SILENT))
    for number in range(6):
        await yard.post(bought(f"more-{number}", f"more-{number}@example.com"))
    await yard.unread("c-1")
    await yard.settle()


async def known(yard: System) -> dict[str, str]:
    """Ids that only a running system gives, by the route that takes them."""
    (unsure,) = await yard.get("dispatch", "/v1/unknown")
    thanks = (await yard.get("dispatch", "/v1/deliveries?customer=c-1&state=sent"))[0]["message_key"]
    return {
        "/v1/deliveries/{key}": thanks,
        "/v1/deliveries/{key}/preview": thanks,
        "/v1/unknown/{key}": unsure["message_key"],
    }


async def asked(yard: System, service: str, one: Example) -> httpx.Response:
    """The example, sent."""
    path, query = one.path, dict(one.values)
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", query.pop(name))
    body = one.body if isinstance(one.body, str) else json.dumps(one.body)
    return await yard.http.request(
        one.method,
        yard.installation.url(service) + path,
        params=query,
        content=None if one.body is None else body,
        headers={"Content-Type": one.kind},
    )


async def told(yard: System, service: str, ids: dict[str, str]) -> list[Example]:
    """Each example of a service with the answer that it gets now."""
    found = []
    if service in KEEPS:
        (dead,) = (await yard.get(service, "/v1/dead-letters"))["dead_letters"]
        ids["/v1/dead-letters/{id}"] = dead["id"]
    for one in examples.read(service):
        if one.path in ids:
            one.values |= {re.findall(r"{(\w+)}", one.path)[0]: ids[one.path]}
        answer = await asked(yard, service, one)
        assert answer.status_code == one.status, f"{one.method} {one.path}: {answer.status_code} {answer.text}"
        now = answer.json()
        if one.path.startswith("/v1/keys") and one.status == 201:
            ids |= dict.fromkeys(("/v1/keys/{id}/rotate", "/v1/keys/{id}"), now["id"])
            now["key"] = "shown once"
        found.append(msgspec.structs.replace(one, answer=None if "schema" in one.path else short(now)))
    return found


def record(service: str, found: list[Example]) -> None:
    """Write them down."""
    text = json.dumps(msgspec.to_builtins(found), ensure_ascii=False, indent=2)
    examples.file_of(service).write_text(text + "\n", "utf-8")


async def undocumented(yard: System, service: str) -> set[str]:
    """Operators' routes of which the document shows no answer; those that take events have tests of their own."""
    document = await yard.get(service, "/openapi.json")
    return {
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == [{"operator": []}] and "example" not in json.dumps(operation["responses"])
    }


def curls(page: str, yard: System) -> None:
    """The quickstart's last snippet, as it stands."""
    (text,) = [text for text in snippets(page, "sh") if "8020" in text]
    for service in SERVICES:
        text = text.replace(f"http://127.0.0.1:{Ports().of(service)}", yard.installation.url(service))
    key = yard.http.headers["Authorization"].removeprefix("Bearer ")
    for line in text.strip().splitlines():
        environment = {**os.environ, "OPERATOR_KEY": key}
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, check=False)
        assert "thanks" in done.stdout, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(600)
async def test_every_request_that_is_shown_is_answered_as_shown(
    kafka: Any, postgres: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with system(kafka, postgres, database, topic_prefix, tmp_path) as yard:
        yard.mails.handle_DATA = Unsure(yard.mails.handle_DATA).handle_DATA  # type: ignore[method-assign]
        await story(yard)
        if shutil.which("curl"):
            for page in PAGES:
                await asyncio.to_thread(curls, page, yard)
        ids = await known(yard)
        for service in SERVICES:
            shown, found = examples.read(service), await told(yard, service, ids)
            if os.environ.get("RECORD"):
                record(service, found)
            parts = [
                differs(shape(a.answer), shape(b.answer), f"{b.method} {b.path}")
                for a, b in zip(shown, found, strict=True)
            ]
            assert "".join(parts) == "", "\n".join(filter(None, parts))
            assert await undocumented(yard, service) == set()
