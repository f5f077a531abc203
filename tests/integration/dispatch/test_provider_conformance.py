"""What the ledger may count on from every provider, held against the two real ones and the fake that tests use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Verdict
from tabiji_dispatch.ports import Provider
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.scripted import Script
from tests.integration.dispatch.test_smtp_cuts import LETTER
from tests.integration.dispatch.test_smtp_cuts import provider_at as smtp_at
from tests.integration.dispatch.test_webhook import provider_at as webhook_at


class FakeProvider:
    """Answers as it is told, and keeps what it took; keyed or not as the real ones are."""

    def __init__(self, mood: str = "well") -> None:
        self.mood = mood
        self.taken: list[str] = []

    async def send(self, letter: Letter, timeout: float) -> Verdict:
        if self.mood == "absent":
            return Verdict(Result.REFUSED, "absent")
        if self.mood != "refusing" and letter.key not in self.taken:
            self.taken.append(letter.key)
        if self.mood == "silent":
            return Verdict(Result.UNKNOWN, "timeout")
        return Verdict(Result.PERMANENT if self.mood == "refusing" else Result.ACCEPTED)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Place:
    """A provider and the world it talks to, in a mood: well, refusing, silent (took it, says nothing), absent."""

    provider: Provider
    taken: Callable[[], int]


@asynccontextmanager
async def smtp(mood: str) -> AsyncIterator[Place]:
    script = Script()
    if mood == "refusing":
        script.replies["rcpt"] = "550 5.1.1 no"
    if mood == "silent":
        script.cut, script.how = "before_dot_reply", "silent"
    async with script:
        if mood == "absent":
            script.server.close()
        provider = smtp_at(script.port)
        yield Place(provider, lambda: len(script.bodies))
        await provider.close()


@asynccontextmanager
async def webhook(mood: str) -> AsyncIterator[Place]:
    receiver = Receiver()
    if mood == "refusing":
        receiver.status = "422 no"
    if mood == "silent":
        receiver.cut, receiver.how = "reply", "silent"
    async with receiver:
        if mood == "absent":
            receiver.server.close()
        provider = webhook_at(receiver.url)
        yield Place(provider, lambda: len(receiver.acted))
        await provider.close()


@asynccontextmanager
async def fake(mood: str) -> AsyncIterator[Place]:
    provider = FakeProvider(mood)
    yield Place(provider, lambda: len(provider.taken))


Opens = Callable[[str], AbstractAsyncContextManager[Place]]
every = pytest.mark.parametrize("opens", [smtp, webhook, fake])


@every
async def test_accepted_means_that_it_was_taken_once(opens: Opens) -> None:
    async with opens("well") as place:
        assert (await place.provider.send(LETTER, 5.0)).result is Result.ACCEPTED
        assert place.taken() == 1


@every
async def test_permanent_means_that_nothing_was_taken(opens: Opens) -> None:
    async with opens("refusing") as place:
        assert (await place.provider.send(LETTER, 5.0)).result is Result.PERMANENT
        assert place.taken() == 0


@every
async def test_a_provider_that_is_not_there_refuses(opens: Opens) -> None:
    async with opens("absent") as place:
        assert (await place.provider.send(LETTER, 5.0)).result is Result.REFUSED


@every
async def test_silence_after_it_was_taken_is_unknown_and_ends_in_time(opens: Opens) -> None:
    async with opens("silent") as place:
        begun = asyncio.get_running_loop().time()
        assert (await place.provider.send(LETTER, 2.0)).result is Result.UNKNOWN
        assert asyncio.get_running_loop().time() - begun < 30
        assert place.taken() <= 1


@every
async def test_many_at_a_time_are_each_taken_once(opens: Opens) -> None:
    async with opens("well") as place:
        letters = [replace(LETTER, key=f"key-{n}") for n in range(30)]
        verdicts = await asyncio.gather(*(place.provider.send(letter, 10.0) for letter in letters))
        assert {verdict.result for verdict in verdicts} == {Result.ACCEPTED}
        assert place.taken() == 30
