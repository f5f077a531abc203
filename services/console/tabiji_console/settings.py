"""Settings of the console, beside those that every service has."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from tabiji_common.settings import Settings

STATEFUL = ("journey", "dispatch", "analytics")
SERVICES = ("ingest", *STATEFUL)


class ConsoleSettings(Settings):
    """``TABIJI_*`` as the console reads them. Of those that every service has it needs no database and no log."""

    port: int = Field(8000, description="Port of the console's pages; 0 takes any free one")
    ingest_url: str = Field("http://127.0.0.1:8010", description="Where the console reaches ingest")
    journey_url: str = Field("http://127.0.0.1:8020", description="Where the console reaches journey")
    dispatch_url: str = Field("http://127.0.0.1:8030", description="Where the console reaches dispatch")
    analytics_url: str = Field("http://127.0.0.1:8040", description="Where the console reaches analytics")
    ingest_admin_url: str = Field("", description="Where ingest's admin port is; empty means its port + 1000")
    journey_admin_url: str = Field("", description="Where journey's admin port is; empty means its port + 1000")
    dispatch_admin_url: str = Field("", description="Where dispatch's admin port is; empty means its port + 1000")
    analytics_admin_url: str = Field("", description="Where analytics' admin port is; empty means its port + 1000")
    console_secret: str = Field(
        "",
        description="Key that seals the session cookie and signs forms, the same for all processes of the console;"
        " empty makes one for the life of the process, and a restart asks everybody to log in again",
    )
    console_session_hours: float = Field(12.0, gt=0, description="How long a login to the console lasts")
    console_live_seconds: float = Field(2.0, gt=0, description="How often an open page is told new counts")
    console_language: Literal["ja", "en"] = Field("ja", description="Language where the browser asks for neither")
    shop_name: str = Field("", description="Name of the shop, shown in the console; empty shows the workspace")
    workspace: str = Field("demo", description="Workspace that HTTP and the command line mean unless told otherwise")

    @property
    def bases(self) -> dict[str, str]:
        """Where each service answers, and under ``<service>_admin`` its admin port."""
        urls = {name: str(getattr(self, f"{name}_url")).rstrip("/") for name in SERVICES}
        admins = {
            f"{name}_admin": str(getattr(self, f"{name}_admin_url")).rstrip("/") or _admin(urls[name])
            for name in SERVICES
        }
        return urls | admins


def _admin(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{(parts.port or 80) + 1000}"))
