"""The HTTP/1.1 protocol of every server: who does not finish a request, or sends no end of headers, is cut off.

The framework bounds neither: without this a connection that sends a byte now and then is held for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

REQUEST_SECONDS = 20.0
"""From the connection, or a later request's first byte, to the last byte of its body."""

MAX_HEAD_BYTES = 64 * 1024
"""Of a request line and headers that are not complete yet."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each request and a bound for its head."""

    deadline: asyncio.TimerHandle | None = None
    seconds = REQUEST_SECONDS
    in_head = True
    head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        waited = self.in_head
        super().data_received(data)
        if waited and self.in_head and self.cycle_is_over():
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD_BYTES:
                self.transport.abort()
            else:
                self._expect()

    def cycle_is_over(self) -> bool:
        """Whether nothing is being answered, so that what came can only be the next request's head."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def on_message_begin(self) -> None:
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.in_head, self.head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.in_head = True
        self._settle()
        super().on_message_complete()

    def _expect(self) -> None:
        if self.deadline is None:
            self.deadline = self.loop.call_later(self.seconds, self._give_up)

    def _settle(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _give_up(self) -> None:
        self.deadline = None
        self.transport.close()
