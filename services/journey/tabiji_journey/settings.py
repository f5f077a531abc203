"""Settings of the journey service: ``TABIJI_*`` variables beside the shared ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tabiji_common.settings import Settings


class JourneySettings(Settings):
    """What an installation may change about journeys."""

    port: int = Field(8020, description="Port of the journey service's HTTP API; 0 takes any free one")
    journeys_folder: Path = Field(
        Path("journeys"),
        description="Folder of ready-made journeys (*.yaml) and of all templates; a journey without its own is refused",
    )
    publish_shipped: bool = Field(
        default=True, description="Publish the ready-made journeys into a workspace that has none"
    )
    workspace: str = Field("demo", description="Workspace that the ready-made journeys are published for")
    timer_customers: int = Field(1000, ge=1, description="Most customers whose timers one transaction fires")
    anonymous_events: int = Field(1000, ge=1, description="Most events kept of one anonymous visitor")
    anonymous_days: int = Field(30, ge=1, description="Days that events of anonymous visitors are kept")
