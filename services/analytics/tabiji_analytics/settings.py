"""Settings of analytics, beside those that every service has."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

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

    @field_validator("analytics_zones")
    @classmethod
    def _known(cls, text: str) -> str:
        for zone in filter(None, map(str.strip, text.split(","))):
            try:
                ZoneInfo(zone)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f"{zone} is no zone of the IANA database") from error
        return text

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of ``analytics_zones``."""
        return tuple(zone.strip() for zone in self.analytics_zones.split(",") if zone.strip())
