"""Secrets and write keys of this machine's installation, under ``.tabiji/`` with mode 0600."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from tabiji_cli.stack.home import default_home, write_secret
from tabiji_common.postgres import connect_pool
from tabiji_common.topics import Mode
from tabiji_ingest.adapters.postgres import register_key

WORKSPACE = "demo"


@dataclass(frozen=True)
class Keys:
    """A write key for live events, one for history, and the services' own secret."""

    live: str
    backfill: str
    secret: str


def keys(folder: Path) -> Keys:
    """The keys in ``folder``, made at the first call."""
    path = folder / "keys.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except FileNotFoundError:
        made = Keys(*(secrets.token_urlsafe(32) for _ in range(3)))
        folder.mkdir(parents=True, exist_ok=True)
        write_secret(path, msgspec.json.encode(asdict(made)).decode())
        return made


def known(folder: Path | None = None) -> Keys | None:
    """The keys of the installation that ``tabiji up`` made here, if it ever did."""
    folder = folder or default_home()
    return keys(folder) if (folder / "keys.json").exists() else None


async def register(dsn: str, made: Keys) -> None:
    """Let the keys open the workspace; ingest's schema must be there. Harmless twice."""
    pool = await connect_pool(dsn, "ingest", size=1)
    try:
        await register_key(pool, made.live, WORKSPACE, Mode.LIVE)
        await register_key(pool, made.backfill, WORKSPACE, Mode.BACKFILL)
    finally:
        await pool.close()
