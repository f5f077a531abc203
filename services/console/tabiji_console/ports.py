"""What pages need of the other services, and how a service says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Query = Mapping[str, str | int | None]


class Away(Exception):
    """A service does not answer, or answers that it cannot now; ``service`` names it."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service


class LoginNeeded(Exception):
    """A service wants an operator key, or another one than it was shown."""


class NotAllowed(Exception):
    """The operator key may not do this; ``rule`` is the service's own word."""

    def __init__(self, service: str, rule: str) -> None:
        super().__init__(rule)
        self.service = service
        self.rule = rule


class Declined(Exception):
    """A service refuses: ``status`` and ``rule`` are its own."""

    def __init__(self, service: str, status: int, rule: str) -> None:
        super().__init__(rule)
        self.service = service
        self.status = status
        self.rule = rule


class Services(Protocol):
    """The other services' HTTP, under one operator's key.

    ``service`` is ``ingest``, ``journey``, ``dispatch``, ``analytics``, or one of them with ``_admin``. Every call
    raises ``Away``, ``LoginNeeded``, ``NotAllowed`` or ``Declined``.
    """

    async def ask(self, service: str, path: str, query: Query | None = None) -> Any:
        """The JSON at ``path``; ``None`` in a query is left out."""
        ...

    async def read(self, service: str, path: str, query: Query | None = None) -> str:
        """The text at ``path``."""
        ...

    async def tell(
        self, service: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send ``body`` as JSON; the JSON that comes back, ``None`` where it is empty."""
        ...


class Desk(Protocol):
    """Gives every operator the services under the operator's own key."""

    def under(self, key: str) -> Services:
        """The services, asked with ``Authorization: Bearer <key>``; without a key, with none."""
        ...
