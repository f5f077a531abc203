"""Settings of analytics, beside those that every service has."""

from __future__ import annotations

from pydantic import Field

from tabiji_common.settings import Settings


class AnalyticsSettings(Settings):
    """``TABIJI_*`` as analytics reads them."""

    port: int = Field(8040, description="Port of the service's HTTP API; 0 takes any free one")
    analytics_zones: str = Field(
        "Asia/Tokyo,UTC",
        description="Zones whose months analytics keeps rolled up; any other is computed when asked for",
    )
    analytics_recompute_seconds: float = Field(
        600.0, ge=0, description="How often all views are recomputed from facts and compared; 0 is only when asked"
    )
    workspace: str = Field("demo", description="Workspace that HTTP and the command line mean unless told otherwise")

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of ``analytics_zones``."""
        return tuple(zone.strip() for zone in self.analytics_zones.split(",") if zone.strip())
