"""The crasher with a bug planted: sends start while their intent is not committed yet."""

import asyncio
import sys
from typing import Any

from tabiji_dispatch.pipeline import Dispatch
from tests.integration.dispatch import crasher

_apply = Dispatch.apply


async def send_before_intent(self: Dispatch, tx: Any, turn: Any) -> Any:
    applied = await _apply(self, tx, turn)
    notes: Any = applied.notes
    if notes.intents:
        self._couriers.start(notes.intents)
        notes.intents = []
        await asyncio.sleep(4)  # a slow commit
    return applied


if __name__ == "__main__":
    Dispatch.apply = send_before_intent  # type: ignore[method-assign]
    crasher.LEASE = 30.0  # nothing is too late to be sent, however busy the machine
    asyncio.run(crasher.main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
