"""The connection to a mail server broken at every step: before the final dot refused, between dot and 250 unknown."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tabiji_common.clock import LiveClock
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.outcomes import Result, Verdict
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.scripted import Script

LETTER = Letter(
    key="key-1",
    channel="email",
    address="c1@example.com",
    subject="ご購入ありがとうございます",
    text="本文\n.\n..行頭の点",
    html="",
    unsubscribe_url="http://127.0.0.1:8010/u/" + "t" * 300,
    dated=datetime(2024, 5, 1, tzinfo=UTC),
    template_version="v",
)
BIG = replace(LETTER, html="<p>大きい</p>" * 400_000)


CUTS = [
    ("banner", Result.REFUSED),
    ("ehlo", Result.REFUSED),
    ("mail", Result.REFUSED),
    ("rcpt", Result.REFUSED),
    ("data", Result.REFUSED),
    ("before_dot_reply", Result.UNKNOWN),
    ("after_dot_reply", Result.ACCEPTED),
]


async def attempt(script: Script, letter: Letter = LETTER, timeout: float = 5.0) -> Verdict:
    provider = provider_at(script.port)
    try:
        return await provider.send(letter, timeout)
    finally:
        await provider.close()


def provider_at(port: int) -> SmtpProvider:
    settings = ProviderSettings(name="smtp", channels=["email"], port=port, sender="店 <no-reply@example.com>")
    return SmtpProvider(settings, LiveClock())


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(("step", "result"), CUTS)
async def test_a_connection_cut_at_each_step(step: str, result: Result, how: str) -> None:
    async with Script(cut=step, how=how) as script:
        assert (await attempt(script)).result is result


@pytest.mark.parametrize(("step", "result"), CUTS[:-1])
async def test_a_server_that_falls_silent_at_each_step(step: str, result: Result) -> None:
    async with Script(cut=step, how="silent") as script:
        verdict = await attempt(script, timeout=0.4)
        if verdict.result is not result:  # a busy machine may not come so far in that time
            verdict = await attempt(script, timeout=8.0)
        assert (verdict.result, "timeout" in verdict.detail) == (result, True)


@pytest.mark.parametrize("how", ["close", "reset", "silent"])
async def test_a_cut_in_the_body_is_refused_since_the_dot_never_left(how: str) -> None:
    async with Script(cut="mid_body", how=how) as script:
        verdict = await attempt(script, BIG, timeout=3.0)
        assert verdict.result is Result.REFUSED
        assert verdict.detail.startswith("body")
        assert script.bodies == []


async def test_nobody_listens_is_refused() -> None:
    async with Script() as script:
        port = script.port
    assert (await provider_at(port).send(LETTER, 2.0)).result is Result.REFUSED


REPLIES = [
    ("banner", "554 5.7.1 no mail from you", Result.CONFIG, False),
    ("banner", "421 4.3.2 too busy", Result.THROTTLED, False),
    ("mail", "550 5.7.1 sender not allowed", Result.CONFIG, False),
    ("mail", "530 5.7.0 authentication required", Result.CONFIG, False),
    ("mail", "452 4.3.1 no room", Result.REFUSED, False),
    ("mail", "552 5.3.4 too big", Result.PERMANENT, False),
    ("rcpt", "550 5.1.1 no such user", Result.PERMANENT, True),
    ("rcpt", "550 no such user", Result.PERMANENT, True),
    ("rcpt", "550 5.7.1 policy", Result.PERMANENT, False),
    ("rcpt", "552 5.2.2 mailbox full", Result.PERMANENT, False),
    ("rcpt", "450 4.2.1 later", Result.REFUSED, False),
    ("rcpt", "421 4.7.0 slow down", Result.THROTTLED, False),
    ("data", "451 4.3.0 later", Result.REFUSED, False),
    ("data", "554 5.5.1 no recipients", Result.PERMANENT, False),
    ("dot", "451 4.7.1 greylisted", Result.REFUSED, False),
    ("dot", "554 5.7.1 looks like spam", Result.PERMANENT, False),
    ("dot", "550 5.1.1 no such user", Result.PERMANENT, True),
    ("dot", "421 4.7.28 rate", Result.THROTTLED, False),
    ("dot", "garbage", Result.UNKNOWN, False),
    ("dot", "354 what", Result.UNKNOWN, False),
]


@pytest.mark.parametrize(("step", "reply", "result", "suppress"), REPLIES)
async def test_a_reply_at_each_step(step: str, reply: str, result: Result, suppress: bool) -> None:
    async with Script(replies={step: reply}) as script:
        verdict = await attempt(script)
        assert (verdict.result, verdict.suppress) == (result, suppress)
        assert "user" not in verdict.detail  # never a server's words


async def test_a_body_that_begins_lines_with_dots_arrives_as_it_was() -> None:
    plain = replace(LETTER, text="x")
    async with Script() as script:
        assert (await attempt(script, plain)).result is Result.ACCEPTED
        assert script.bodies[0].count(b"\r\n.\r\n") == 1


async def test_a_kept_connection_that_the_server_closed_is_opened_again_within_the_attempt() -> None:
    async with Script(cut="after_dot_reply", times=1) as script:
        provider = provider_at(script.port)
        assert (await provider.send(LETTER, 2.0)).result is Result.ACCEPTED
        await asyncio.sleep(0.2)
        assert (await provider.send(LETTER, 2.0)).result is Result.ACCEPTED
        assert (script.connections, script.taken) == (2, 2)
        await provider.close()


async def test_connections_are_kept_also_after_a_refused_recipient() -> None:
    async with Script(replies={"rcpt": "550 5.1.1 no"}) as script:
        provider = provider_at(script.port)
        for _ in range(3):
            assert (await provider.send(LETTER, 2.0)).result is Result.PERMANENT
        assert script.connections == 1
        await provider.close()
