"""A process that runs the pipeline without a log, and dies where it is told.

python -m … DSN SMTP_PORT HOOK_URL ROUND [REGISTRY_URL]

As after a crash of the real one, it reads everything again from the start.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from tabiji_common.clock import LiveClock
from tabiji_common.failpoints import arm
from tabiji_common.kafka.turn import Applied, Received
from tabiji_common.postgres import connect_pool
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.adapters.webhook import WebhookProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.outcomes import Keyed, Lookup, Unkeyed
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import Bench, known, send

CUSTOMERS = 8
CHANNELS = ("email", "webhook")  # no key, keyed
LOOKED_UP = (*CHANNELS, "sms")
LEASE = 1.0
SLOTS = 4
HOOK_SECRET = "whsec_YSBzaWduaW5nIHNlY3JldA=="


class Crasher(Bench):
    """A bench whose outgoing records are rows, as in the runtime's outbox."""

    async def within(self, connection: Any, applied: Applied) -> None:
        rows = [(record.body.message_key, record.body.state, record.id) for record in applied.records]
        await connection.executemany("INSERT INTO said (key, state, id) VALUES ($1, $2, $3)", rows)


def keys(rounds: int, channels: Sequence[str] = CHANNELS) -> list[str]:
    return [f"{channel}-{r}-{n}" for r in range(rounds) for n in range(CUSTOMERS) for channel in channels]


def load(round_: int, channels: Sequence[str] = CHANNELS) -> list[Received]:
    """Everybody's address and consent, and all messages up to this round."""
    people = [record for n in range(CUSTOMERS) for record in known(f"c{n}", phone=f"+8190{n}")]
    return people + [
        send(key, f"c{key.rpartition('-')[2]}", channel=key.partition("-")[0], message_class="transactional")
        for key in keys(round_ + 1, channels)
    ]


async def main(dsn: str, smtp_port: int, hook_url: str, round_: int, registry_url: str = "") -> None:
    clock = LiveClock()
    smtp = ProviderSettings(name="smtp", channels=["email"], port=smtp_port)
    hook = ProviderSettings(name="hook", kind="webhook", channels=["webhook"], url=hook_url, secret=HOOK_SECRET)
    asked = ProviderSettings(
        name="asked",
        kind="webhook",
        channels=["sms"],
        url=registry_url or hook_url,
        secret=HOOK_SECRET,
        lookup_url=f"{registry_url}/messages/{{key}}",
    )
    look_up = Lookup(settle=0.2)
    lanes: dict[str, Any] = {
        "smtp": (Carrier("smtp", frozenset({"email"}), Unkeyed(), Unkeyed(), slots=SLOTS), SmtpProvider(smtp, clock)),
        "hook": (Carrier("hook", frozenset({"webhook"}), Keyed(), Keyed(), slots=SLOTS), WebhookProvider(hook, clock)),
        "asked": (Carrier("asked", frozenset({"sms"}), look_up, look_up, slots=SLOTS), WebhookProvider(asked, clock)),
    }
    pool = await connect_pool(dsn, "dispatch", size=4)
    arm()
    async with Crasher(pool, lanes, lease=LEASE, who=f"process-{round_}") as bench:
        await bench.turn(*load(round_, LOOKED_UP if registry_url else CHANNELS))
        await bench.settle(60)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), *sys.argv[5:]))
