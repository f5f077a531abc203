"""A webhook's receiver that acts on every request, the same key or not, and can be asked what it has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tabiji_cli.stack.ports import free_port


@dataclass
class Registry:
    """``taken`` has a key as often as it was acted on; ``lookups`` what was asked and answered."""

    taken: list[str] = field(default_factory=list)
    lookups: list[tuple[str, str]] = field(default_factory=list)
    silent: int = 0  # of the next requests that many are acted on and never answered well
    answer: tuple[int, str] | None = None  # instead of the truth
    url: str = ""

    @property
    def look_up(self) -> str:
        return f"{self.url}/messages/{{key}}"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Registry"]:
        app = web.Application()
        app.router.add_post("/", self._act)
        app.router.add_get("/messages/{key}", self._find)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield self
        finally:
            await runner.cleanup()

    async def _act(self, request: web.Request) -> web.Response:
        await request.read()
        self.taken.append(request.headers["webhook-id"])
        if self.silent:
            self.silent -= 1
            return web.Response(status=500)
        return web.Response(text="ok")

    async def _find(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        found = key in self.taken
        status, text = self.answer or (200 if found else 404, f'{{"found": {str(found).lower()}}}')
        self.lookups.append((key, text))
        return web.Response(status=status, text=text)
