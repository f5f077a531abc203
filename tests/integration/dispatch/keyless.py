"""The crasher with a bug planted: deliveries have no unique key, so a command read again is another message."""

import asyncio
import sys

from tabiji_dispatch.adapters import postgres_intake
from tests.integration.dispatch import crasher

SPOILT = tuple(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE" for table in ("delivery", "attempt"))

if __name__ == "__main__":
    for name in ("_INSERT", "_UNSEEN"):
        statement = getattr(postgres_intake, name)
        setattr(postgres_intake, name, statement.replace("ON CONFLICT (message_key) DO NOTHING", ""))
    asyncio.run(crasher.main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
