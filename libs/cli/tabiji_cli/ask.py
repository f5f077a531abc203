"""The services' HTTP, asked under the operator's key."""

from __future__ import annotations

from typing import Any

import httpx

from tabiji_cli import keys
from tabiji_common.errors import TabijiError


class AskFailed(TabijiError):
    """A service cannot be asked, or refuses; the message says why."""


class NotThere(AskFailed):
    """The service has no such thing."""


def ask(service: str, method: str, path: str, **more: Any) -> Any:
    """A service's answer; ``more`` goes to httpx. Raises ``AskFailed``."""
    url = keys.address(service)
    try:
        answer = httpx.request(method, f"{url}{path}", headers=keys.bearer(keys.operator()), timeout=30, **more)
    except httpx.TransportError as error:
        raise AskFailed(f"{service} cannot be reached at {url}: {error}") from error
    if answer.status_code >= 400:
        try:
            rule = answer.json()["error"]["rule"]
        except (ValueError, KeyError, TypeError):
            rule = answer.text[:200]
        kind = NotThere if answer.status_code == 404 else AskFailed
        raise kind(f"{service} answered {answer.status_code}: {rule}")
    return answer.json()
