"""A proxy on 127.0.0.1 that spoils the first answers of a server, as a plan says."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

PASS = "pass"
FAILED = "500"
LIMITED = "429"
DROPPED = "dropped"
"""The connection is reset, and the server has heard nothing."""
CUT = "cut"
"""The server has answered, and the connection is reset before the client hears of it."""

RETRY_AFTER = 2
_TOLD = frozenset({"content-type", "retry-after"})


@dataclass(frozen=True)
class Seen:
    """One request, when it came, and what was done to it."""

    at: float
    body: bytes
    done: str
    status: int


class FaultProxy:
    """Spoils one request for each step of ``plan``, then passes on all others; a server that is away drops them."""

    def __init__(self, port: int, plan: list[str]) -> None:
        self.port, self.plan = port, list(plan)
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next_step(self) -> str:
        with self.lock:
            return self.plan.pop(0) if self.plan else PASS

    def forward(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Ask the server; raises ``OSError`` where it is away."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            upstream.request("POST", path, body, headers)
            answer = upstream.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            raise OSError("the server ended in the middle of an answer") from error
        finally:
            upstream.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        proxy = self.server.proxy
        at, step, status = time.monotonic(), proxy.next_step(), 0
        if step in {FAILED, LIMITED}:
            status = int(step)
            self._answer(status, {"Retry-After": str(RETRY_AFTER)} if step == LIMITED else {}, b"{}")
        elif step == DROPPED:
            self._reset()
        else:
            status = self._pass_on(body, cut=step == CUT)
        proxy.seen.append(Seen(at, body, step, status))

    def _pass_on(self, body: bytes, *, cut: bool) -> int:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        try:
            status, headers, told = self.server.proxy.forward(self.path, kept, body)
        except OSError:
            self._reset()
            return 0
        if cut:
            self._reset()
        else:
            own = {name: value for name, value in headers.items() if name.lower() in {"content-type", "retry-after"}}
            self._answer(status, own, told)
        return status

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
