"""What an API's OpenAPI document shows of each route: a request, and what it was answered.

They are kept in ``examples.json`` in the service's package, one a route, and a test sends every one of them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI

_REFUSAL = {
    "description": "refused; the field and the rule are named",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["field", "rule"],
                        "properties": {"field": {"type": "string"}, "rule": {"type": "string"}},
                    }
                },
            },
            "example": {"error": {"field": "tz", "rule": "must be a zone of the IANA database, such as Asia/Tokyo"}},
        }
    },
}


class Example(msgspec.Struct, omit_defaults=True):
    """One request to one route, in the order in which they make sense, and the answer it got.

    ``values`` fill the route's path and query; a ``body`` that is text goes out as ``kind``, any other as JSON.
    """

    method: str
    path: str
    values: dict[str, str] = {}
    body: Any = None
    kind: str = "application/json"
    status: int = 200
    answer: Any = None


def file_of(service: str) -> Path:
    """Where a service's examples are; the file need not be there."""
    spec = importlib.util.find_spec(f"tabiji_{service}")
    return Path((spec and spec.origin) or "").parent / "examples.json"


def read(service: str) -> list[Example]:
    """A service's examples; none where it has no file."""
    file = file_of(service)
    return msgspec.json.decode(file.read_bytes(), type=list[Example]) if file.exists() else []


def describe(app: FastAPI, service: str) -> None:
    """Make the app's OpenAPI document show the examples, and refusals as they look."""
    plain, found = app.openapi, read(service)

    def told() -> dict[str, Any]:
        document = plain()
        for one in found:
            _show(document["paths"][one.path][one.method.lower()], one)
        return document

    if found:
        app.openapi = told  # type: ignore[method-assign]


def _show(operation: dict[str, Any], one: Example) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] in one.values:
            parameter["example"] = one.values[parameter["name"]]
    if one.body is not None:
        content = operation.setdefault("requestBody", {"required": True}).setdefault("content", {})
        content.setdefault(one.kind, {})["example"] = one.body
    answers = operation["responses"]
    answers.pop("422", None)
    answers["4XX"] = _REFUSAL
    answer = answers.setdefault(str(one.status), {"description": "as shown"})
    answer.setdefault("content", {}).setdefault("application/json", {})["example"] = one.answer
