"""HTTP edge: pages out of what services tell, forms in; every answer under a strict content security policy."""

from __future__ import annotations

from fastapi import Depends, FastAPI

from tabiji_console.api import audit, customers, deliveries, health, journeys, letters, login, ltv, shell, today
from tabiji_console.api.guard import Guard
from tabiji_console.api.visit import House, checked, install_house

PAGES = (
    *(today.router, journeys.router, customers.router, ltv.router),
    *(deliveries.router, health.router, letters.router, audit.router),
)


def create_app(house: House) -> FastAPI:
    """The console. Every form is checked before its route is asked."""
    app = FastAPI(
        title="Tabiji console", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(checked)]
    )
    install_house(app, house)
    shell.install(app)
    app.include_router(login.router)
    for router in PAGES:
        app.include_router(router)
    app.add_middleware(Guard)
    return app
