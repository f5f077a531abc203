"""The webhook adapter against a receiver that breaks at each step; signature, key and classes."""

import asyncio
import base64
from typing import Any

import pytest
from standardwebhooks import Webhook

from tabiji_common.clock import LiveClock
from tabiji_dispatch.adapters.webhook import WebhookProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.outcomes import Keyed, Result, Verdict
from tabiji_dispatch.settings import ProviderSettings
from tests.integration.dispatch.bench import Bench, cancel, known, send, settle
from tests.integration.dispatch.receiver import Receiver
from tests.integration.dispatch.test_smtp_cuts import BIG, LETTER

SECRET = "whsec_" + base64.b64encode(b"a signing secret of the tests").decode()


def provider_at(url: str) -> WebhookProvider:
    settings = ProviderSettings(name="hook", kind="webhook", channels=["webhook"], url=url, secret=SECRET)
    return WebhookProvider(settings, LiveClock())


async def attempt(receiver: Receiver, letter: Any = LETTER, timeout: float = 5.0) -> Verdict:
    provider = provider_at(receiver.url)
    try:
        return await provider.send(letter, timeout)
    finally:
        await provider.close()


async def test_the_request_is_signed_and_carries_its_key() -> None:
    async with Receiver() as receiver:
        assert (await attempt(receiver)).result is Result.ACCEPTED
        [(headers, body)] = receiver.requests
        assert headers["webhook-id"] == headers["idempotency-key"] == LETTER.key
        assert "transfer-encoding" not in headers
        payload: dict[str, Any] = Webhook(SECRET).verify(body, headers)
        assert payload["data"]["to"] == "c1@example.com"
        assert payload["data"]["subject"] == "ご購入ありがとうございます"


@pytest.mark.parametrize("how", ["close", "reset", "silent"])
@pytest.mark.parametrize("cut", ["body", "reply", "half_reply"])
async def test_a_loss_after_body_bytes_is_unknown(cut: str, how: str) -> None:
    async with Receiver(cut=cut, how=how) as receiver:
        letter = BIG if cut == "body" else LETTER
        assert (await attempt(receiver, letter, timeout=1.0)).result is Result.UNKNOWN


async def test_nobody_listens_is_refused() -> None:
    async with Receiver() as receiver:
        url = receiver.url
    assert (await provider_at(url).send(LETTER, 2.0)).result is Result.REFUSED


async def test_a_name_that_does_not_resolve_and_a_bad_certificate_are_refused() -> None:
    assert (await provider_at("http://nowhere.invalid/hook").send(LETTER, 3.0)).result is Result.REFUSED
    async with Receiver() as receiver:
        url = receiver.url.replace("http://", "https://")  # no TLS is spoken there
        assert (await provider_at(url).send(LETTER, 3.0)).result is Result.REFUSED


STATUSES = [
    ("200 OK", "", Result.ACCEPTED, None),
    ("204 No Content", "", Result.ACCEPTED, None),
    ("409 Conflict", "", Result.ACCEPTED, None),
    ("429 Too Many Requests", "Retry-After: 7\r\n", Result.THROTTLED, 7.0),
    ("429 Too Many Requests", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", Result.THROTTLED, None),
    ("503 Service Unavailable", "Retry-After: 3\r\n", Result.THROTTLED, 3.0),
    ("503 Service Unavailable", "", Result.REFUSED, None),
    ("500 Internal Server Error", "", Result.UNKNOWN, None),
    ("502 Bad Gateway", "", Result.UNKNOWN, None),
    ("504 Gateway Timeout", "", Result.UNKNOWN, None),
    ("400 Bad Request", "", Result.PERMANENT, None),
    ("422 Unprocessable", "", Result.PERMANENT, None),
    ("401 Unauthorized", "", Result.CONFIG, None),
    ("404 Not Found", "", Result.CONFIG, None),
    ("302 Found", "Location: http://127.0.0.1:1/\r\n", Result.CONFIG, None),
]


@pytest.mark.parametrize(("status", "headers", "result", "wait"), STATUSES)
async def test_a_status(status: str, headers: str, result: Result, wait: float | None) -> None:
    async with Receiver(status=status, headers=headers) as receiver:
        verdict = await attempt(receiver)
        assert (verdict.result, verdict.retry_after) == (result, wait)


def lane(receiver: Receiver, **keyed: float) -> dict[str, tuple[Carrier, WebhookProvider]]:
    carrier = Carrier("hook", frozenset({"webhook"}), Keyed(**keyed), Keyed(**keyed), slots=4, timeout=10.0)
    return {"hook": (carrier, provider_at(receiver.url))}


async def test_an_unknown_outcome_is_sent_again_with_the_same_key_and_body(pool: Any) -> None:
    async with Receiver(cut="reply", how="close", times=2) as receiver, Bench(pool, lane(receiver)) as bench:
        await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
        for _ in range(3):
            await advance(bench)
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]
        assert receiver.acted == ["m1"]
        bodies = {body for _, body in receiver.requests}
        assert len(receiver.requests) == 3
        assert len(bodies) == 1
        attempts = await bench.pool.fetch("SELECT token, result FROM attempt_result ORDER BY token, at")
        assert [tuple(row) for row in attempts] == [(1, "unknown"), (2, "unknown"), (3, "accepted")]


async def test_a_key_that_the_provider_has_forgotten_is_held_until_a_person_decides(pool: Any) -> None:
    async with Receiver(cut="reply", times=1) as receiver, Bench(pool, lane(receiver, ttl=100, margin=10)) as bench:
        await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
        await becomes(bench, "queued")
        bench.clock.skipped += 95
        await bench.settle()
        assert await bench.state("m1") == ("held", "key_expired")
        assert len(receiver.requests) == 1
        await bench.turn(settle("m1", "resend"))
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]


async def test_a_cancelled_message_in_doubt_is_unknown_not_suppressed(pool: Any) -> None:
    async with Receiver(cut="reply", times=1) as receiver, Bench(pool, lane(receiver)) as bench:
        await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
        await becomes(bench, "queued")
        await bench.turn(cancel("m1"))
        await bench.settle()
        assert bench.said() == [("m1", "unknown", "cancelled")]
        assert len(receiver.requests) == 1


async def test_a_throttled_attempt_burns_nothing_and_waits_as_told(pool: Any) -> None:
    async with (
        Receiver(status="429 Too Many Requests", headers="Retry-After: 60\r\n", times=1) as receiver,
        Bench(pool, lane(receiver)) as bench,
    ):
        await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
        await becomes(bench, "queued")
        assert (await bench.row("m1"))["attempts"] == 0
        bench.clock.skipped += 30
        await bench.turn()
        assert len(receiver.requests) == 1
        bench.clock.skipped += 31
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]


async def test_bad_credentials_stop_the_provider_and_lose_nothing(pool: Any) -> None:
    async with Receiver(status="401 Unauthorized", times=1) as receiver, Bench(pool, lane(receiver)) as bench:
        await bench.turn(*known(), send("m1", channel="webhook", message_class="transactional"))
        await becomes(bench, "queued")
        bench.clock.skipped += 5
        await bench.settle()
        assert await bench.state("m1") == ("held", "switch:provider:hook")
        await bench.pool.execute("DELETE FROM kill_switch")
        await bench.settle()
        assert bench.said() == [("m1", "sent", "")]


async def advance(bench: Bench) -> None:
    """Past any back-off."""
    await asyncio.sleep(0.3)
    bench.clock.skipped += 10
    await bench.turn()


async def becomes(bench: Bench, state: str) -> None:
    for _ in range(6000):
        if (await bench.state("m1"))[0] == state:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await bench.state("m1"))


async def test_an_answer_that_is_no_http_is_unknown() -> None:
    async with Receiver(status="999999 nonsense", headers="no header at all\r\n") as receiver:
        assert (await attempt(receiver)).result is Result.UNKNOWN
