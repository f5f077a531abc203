"""What a service counts, from its admin port."""

from __future__ import annotations

from tabiji_console.api.visit import Visit
from tabiji_console.domain.gauges import Gauges, read_gauges


async def gauges_of(visit: Visit, service: str) -> Gauges:
    """The samples of one process of a service."""
    return read_gauges(await visit.services.read(f"{service}_admin", "/metrics"))
