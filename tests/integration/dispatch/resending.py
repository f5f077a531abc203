"""The crasher with a bug planted: an outcome that nobody knows is taken for "not sent", and the mail goes again."""

import asyncio
import sys

from tabiji_dispatch.domain import outcomes, reap
from tabiji_dispatch.domain.ledger import Move
from tabiji_dispatch.domain.outcomes import Attempt, Capability, Step
from tests.integration.dispatch import crasher


def send_again(capability: Capability, attempt: Attempt) -> Step:
    return Step(Move.RESEND, "unknown", delay=0.1)


if __name__ == "__main__":
    for module in (outcomes, reap):
        setattr(module, "on_unknown", send_again)  # noqa: B010 - one of them only imports it
    asyncio.run(crasher.main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
