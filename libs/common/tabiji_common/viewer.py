"""``/docs``: Swagger UI over the service's own ``/openapi.json``, from the service itself: no other host is asked.

The page has no script or style of its own inside, so its content security policy allows none.
"""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

PAGE = "/docs"
FILES = f"{PAGE}/files"
START = f"{PAGE}/start.js"
OPEN = frozenset({PAGE, START, *(f"{FILES}/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css"))})
"""What needs no key, as ``/openapi.json`` itself: programs and words that are the same everywhere."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
# Addresses are relative: behind a proxy the service may have a path of its own.
_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#viewer", deepLinking: true, validatorUrl: null, tryItOutEnabled: true, filter: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"
})
"""
_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/files/swagger-ui.css">
</head>
<body>
<div id="viewer"><noscript>The document itself is at <a href="openapi.json">openapi.json</a>.</noscript></div>
<script src="docs/files/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def install(app: FastAPI) -> None:
    """Serve the viewer on ``app``, which was made without FastAPI's own (``docs_url=None, redoc_url=None``)."""
    page = _HTML.format(title=escape(app.title))

    @app.get(PAGE, include_in_schema=False)
    async def viewer() -> HTMLResponse:
        return HTMLResponse(page, headers=_HEADERS)

    @app.get(START, include_in_schema=False)
    async def start() -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    app.mount(FILES, StaticFiles(packages=[("fastapi_swagger", "resources")]))
