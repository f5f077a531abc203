"""Secrets, keys and addresses of this machine's installation, under ``.tabiji/`` with mode 0600."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tabiji_cli.processes import Installation, Ports, setting
from tabiji_cli.services import PROCESSES
from tabiji_cli.stack.home import default_home, write_secret
from tabiji_cli.stack.ports import ADMIN
from tabiji_common import operators
from tabiji_common.clock import LiveClock
from tabiji_common.postgres import connect_pool
from tabiji_common.topics import Mode
from tabiji_ingest.adapters.postgres import register_key

WORKSPACE = "demo"
OPERATOR = "up"  # the name of the key that this machine's own commands show
OPERATOR_SETTING = "TABIJI_OPERATOR_KEY"


@dataclass(frozen=True)
class Keys:
    """A write key for live events, one for history, the services' own secret, an operator key, and where all is."""

    live: str
    backfill: str
    secret: str
    operator: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)


def keys(folder: Path) -> Keys:
    """The keys in ``folder``, made at the first call."""
    path = folder / "keys.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Keys)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        live, backfill, secret = (secrets.token_urlsafe(32) for _ in range(3))
        found = Keys(live, backfill, secret)
    if found.operator:
        return found
    made = replace(found, operator=operators.new_key())
    _write(path, made)
    return made


def remember(folder: Path, addresses: Mapping[str, str]) -> None:
    """Keep where everything is, beside the keys, for the commands that come after."""
    _write(folder / "keys.json", replace(keys(folder), addresses=dict(addresses)))


def kept(installation: Installation) -> dict[str, str]:
    """What ``remember`` keeps of an installation."""
    return {
        **{service: installation.url(service) for service in PROCESSES},
        **{f"{service}_admin": installation.admin(service) for service in PROCESSES},
        "kafka": installation.bootstrap,
        "postgres": installation.dsn,
        "prefix": installation.prefix,
        "partitions": str(installation.partitions),
    }


def known(folder: Path | None = None) -> Keys | None:
    """The keys of the installation that ``tabiji up`` made here, if it ever did."""
    folder = folder or default_home()
    return keys(folder) if (folder / "keys.json").exists() else None


def address(service: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where a service answers: on the port that is set, else where the last ``tabiji up`` had it, else by default."""
    if told := environment.get(f"TABIJI_{service.upper()}_URL"):
        return told
    found = known()
    if setting(service) in environment or found is None or service not in found.addresses:
        return f"http://127.0.0.1:{Ports.from_environment(environment).of(service)}"
    return found.addresses[service]


def admin_address(service: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where a service's health answers: 1000 above its API."""
    if told := environment.get(f"TABIJI_{service.upper()}_ADMIN_URL"):
        return told
    if (told := environment.get(f"TABIJI_{service.upper()}_URL")) and (at := urlsplit(told)).port:
        return f"{at.scheme}://{at.hostname}:{at.port + ADMIN}"
    found = known()
    if setting(service) in environment or found is None or f"{service}_admin" not in found.addresses:
        return f"http://127.0.0.1:{Ports.from_environment(environment).of(service) + ADMIN}"
    return found.addresses[f"{service}_admin"]


def operator(environment: Mapping[str, str] = os.environ) -> str:
    """The operator key to show: the one that is set, else this machine's own; empty for none."""
    found = known()
    return environment.get(OPERATOR_SETTING) or (found.operator if found else "")


def bearer(key: str) -> dict[str, str]:
    """The header that shows an operator key; none without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


async def register(dsn: str, made: Keys) -> None:
    """Let the keys open the workspace and the APIs; ingest's schema must be there. Harmless twice."""
    pool = await connect_pool(dsn, "ingest", size=1)
    try:
        await operators.prepare(pool)
        await operators.let_in(pool, made.operator, OPERATOR, "admin", LiveClock().wall())
        await register_key(pool, made.live, WORKSPACE, Mode.LIVE, name=OPERATOR)
        await register_key(pool, made.backfill, WORKSPACE, Mode.BACKFILL, name=f"{OPERATOR}, history")
    finally:
        await pool.close()


def _write(path: Path, made: Keys) -> None:
    write_secret(path, msgspec.json.encode(asdict(made)).decode())
