"""The console: builds everything, in order."""

from __future__ import annotations

from tabiji_common.guard import anybody
from tabiji_common.service import Service
from tabiji_console.adapters.http import HttpDesk, make_client
from tabiji_console.adapters.pages import make_pages
from tabiji_console.adapters.seal import Seal
from tabiji_console.api import create_app
from tabiji_console.api.visit import House
from tabiji_console.settings import ConsoleSettings


async def build(service: Service) -> None:
    """The client, the seal, the pages."""
    settings = service.settings
    assert isinstance(settings, ConsoleSettings)  # noqa: S101 - main() made them
    desk = HttpDesk(make_client(), settings.bases)
    seal = Seal(settings.console_secret, settings.console_session_hours * 3600)
    service.http(create_app(House(settings, desk, seal, make_pages())), anybody)


def main() -> None:
    """Run until SIGTERM."""
    Service("console", ConsoleSettings()).detached().run(build)


if __name__ == "__main__":
    main()
