"""What the suites of ingest share: fixtures from outside the project, an app on fakes, and small readers."""

import asyncio
import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabiji_common.clock import SteppedClock
from tabiji_common.errors import Retry
from tabiji_common.topics import Mode, Record
from tabiji_ingest.api import create_app
from tabiji_ingest.domain.access import WriteKey, key_hash
from tabiji_ingest.domain.call import Receipt, Rules
from tabiji_ingest.domain.segment import read_call
from tabiji_ingest.domain.triage import triage
from tabiji_ingest.pipeline import Accept
from tabiji_ingest.settings import IngestSettings

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 4, 1, 0, 31, tzinfo=UTC)
SECRET = "a secret of this test"
LIVE, BACKFILL = "TESTKEY", "HISTORYKEY"
CAPTURED = (LIVE, "phc_TEST", "TEST:KEY")
"""The write keys in the captures: Segment's and RudderStack's, PostHog's, Dittofeed's."""
RULES = Rules(secret=SECRET, currency="JPY", plain=frozenset({"plan", "timezone", "createdat"}))
RECEIPT = Receipt("demo", NOW, Mode.LIVE, "one request")


def fixtures() -> Path:
    """The folder of captures and torture files: ``TABIJI_FIXTURES``, or ``shared/fixtures`` beside the repository."""
    return Path(os.environ.get("TABIJI_FIXTURES", ROOT.parent / "shared" / "fixtures"))


def fixture_files(pattern: str) -> list[Any]:
    """Parameters for the files that match, or one that skips and says why."""
    found = sorted(fixtures().glob(pattern))
    if found:
        return [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in found]
    reason = f"no {pattern} under {fixtures()}: set TABIJI_FIXTURES to the folder of fixtures"
    return [pytest.param(Path(), id="absent", marks=pytest.mark.skip(reason=reason))]


class MemoryLog:
    """An ``EventLog`` that keeps what it is given; it can be broken (``Retry``) or mute (never acks)."""

    def __init__(self) -> None:
        self.records: list[Record[Any]] = []
        self.broken = False
        self.mute = False
        self.acks = asyncio.Event()
        self.acks.set()

    async def append(self, records: Sequence[Record[Any]]) -> None:
        if self.broken:
            raise Retry("no broker answers")
        if self.mute:
            await asyncio.sleep(3600)
        await self.acks.wait()
        self.records += records


class MemoryKeys:
    """``WriteKeys`` with one key of each scope; it can be out of reach."""

    def __init__(self) -> None:
        self.keys = {
            **{key: WriteKey(key_hash(key), "demo", Mode.LIVE) for key in CAPTURED},
            BACKFILL: WriteKey(key_hash(BACKFILL), "demo", Mode.BACKFILL),
        }
        self.away = False

    async def find(self, key: str) -> WriteKey | None:
        if self.away:
            raise Retry("write keys cannot be read")
        return self.keys.get(key)


class StoodStill(SteppedClock):
    """A live clock, as far as anyone can tell, that stands until it is stepped."""

    simulated = False

    def __init__(self) -> None:
        super().__init__(NOW)


def basic(user: str = LIVE, password: str = "") -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Door:
    """Ingest's app on fakes, and a client for it."""

    def __init__(self, **settings: Any) -> None:
        self.log, self.keys = MemoryLog(), MemoryKeys()
        self.clock = StoodStill()
        self.settings = IngestSettings(workspace_secret=SECRET, **settings)
        self.accept = Accept(self.log, self.keys, self.clock, self.settings)
        transport = httpx.ASGITransport(create_app(self.accept))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://ingest")

    async def post(
        self, path: str, body: Any, *, key: str = LIVE, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        content = {"content": body} if isinstance(body, (bytes, str)) else {"json": body}
        return await self.http.post(path, headers={**basic(key), **(headers or {})}, **content)

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.log.records]


def records_of(kind: Any, rules: Rules = RULES, receipt: Receipt = RECEIPT, **event: Any) -> list[Record[Any]]:
    """The records that one Segment call becomes."""
    event.setdefault("messageId", "m-1")
    return triage(read_call(kind, event), receipt, rules).records


def track(name: str, properties: dict[str, Any] | None = None, **event: Any) -> Record[Any]:
    """The first record of a track call of the user ``u-1``."""
    event.setdefault("userId", "u-1")
    return records_of("track", event=name, properties=properties, **event)[0]
