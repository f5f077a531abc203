"""SIGKILL where a person's decision, a document or a start is committed: what the caller was told decides."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tabiji_cli.stack.home import project_root
from tests.faults.system import System, system

DESK_POINTS = (
    "journey.publish.before_commit",
    "journey.publish.after",
    "dispatch.examine.before_commit",
    "dispatch.release.before_commit",
    "dispatch.beat.before_commit",
    "analytics.zones.before_commit",
    "runtime.act.written",
    "ingest.keys.rotated",
    "runtime.replay.appended",
)
DOCUMENT = """
id: round-{round}
enter: {{on: order_completed}}
start: rest
states:
  rest: {{wait: {{for: 1d}}, next: done}}
  done: {{end: true}}
"""
SHIPPED = len(list((project_root() / "journeys").glob("*.yaml")))


async def dies(yard: System, service: str, point: str, path: str, **request: Any) -> None:
    """POST to a service that dies at ``point`` and so never answers."""
    before = yard.supervisor.restarts(service)
    await yard.arm(service, point)
    try:
        answer = await yard.http.post(f"{yard.installation.url(service)}{path}", **request)
    except httpx.TransportError:
        pass
    else:
        raise AssertionError(f"{service} answered {answer.status_code} and was to die at {point}")
    assert await yard.died(service, before)
    yard.was_hit(point)
    await yard.up(service)


async def publish_round(yard: System, point: str, *, committed: bool) -> None:
    """A client that was told nothing asks again: one version, whichever side of the commit the death was on."""
    text = DOCUMENT.format(round=point.rpartition(".")[2].replace("_", "-"))
    await dies(yard, "journey", point, "/v1/journeys", content=text)
    answer = await yard.http.post(f"{yard.installation.url('journey')}/v1/journeys", content=text)
    assert (answer.status_code, answer.json()["version"]) == (200 if committed else 201, 1), answer.text
    found = await yard.rows(
        "SELECT v.version, v.source, s.version AS newest FROM journey.journey_version v"
        " JOIN journey.journey_state s USING (workspace, journey) WHERE v.journey = $1",
        answer.json()["journey"],
    )
    assert [tuple(row) for row in found] == [(1, text, 1)]


async def audited_round(yard: System) -> None:
    """A change is written down before it is made; one without an end is seen to have none."""
    text = DOCUMENT.format(round="audited")
    await dies(yard, "journey", "runtime.act.written", "/v1/journeys", content=text)
    assert await yard.rows("SELECT FROM journey.journey_version WHERE journey = 'round-audited'") == []
    answer = await yard.http.post(f"{yard.installation.url('journey')}/v1/journeys", content=text)
    assert answer.status_code == 201, answer.text
    acts = await yard.get("ingest", "/v1/audit?limit=2")
    assert [(act["who"], act["service"], act["what"], act["status"]) for act in acts] == [
        ("up", "journey", "POST /v1/journeys", 201),
        ("up", "journey", "POST /v1/journeys", None),
    ]
    assert acts[0]["detail"] == "demo/round-audited version 1"


async def rotated_round(yard: System) -> None:
    """A rotation that was cut off has changed nothing: the key has no successor, and no end."""
    [key] = [row for row in await yard.get("ingest", "/v1/keys") if row["scope"] == "live"]
    await dies(yard, "ingest", "ingest.keys.rotated", f"/v1/keys/{key['id']}/rotate", json={"grace_seconds": 0})
    assert [row for row in await yard.get("ingest", "/v1/keys") if row["scope"] == "live"] == [key]


async def replayed_round(yard: System) -> None:
    """A replay that nobody was told of was asked for all the same: it is taken back once, and dead again here."""
    await yard.unread("unread")
    await yard.settle()
    await dies(yard, "journey", "runtime.replay.appended", "/v1/dead-letters/replay", json={"all": True})
    await yard.settle()
    found = await yard.get("journey", "/v1/dead-letters")
    assert [(row["customer"], row["state"], row["attempts"]) for row in found["dead_letters"]] == [
        ("unread", "dead", 1)
    ]


async def shipped(yard: System, workspace: str) -> int:
    found = await yard.rows("SELECT count(*) AS n FROM journey.journey_version WHERE workspace = $1", workspace)
    return int(found[0]["n"])


async def shipped_rounds(yard: System) -> None:
    """A death while the ready-made journeys are published leaves none of them or all."""
    for workspace, point, left in (
        ("second", "journey.publish.before_commit", 0),
        ("third", "journey.publish.after", SHIPPED),
    ):
        await yard.dies_at_start("journey", point, TABIJI_WORKSPACE=workspace)
        assert await shipped(yard, workspace) == left
        await yard.start_again("journey", TABIJI_WORKSPACE=workspace)
        await yard.up("journey")
        assert await shipped(yard, workspace) == SHIPPED
    await yard.start_again("journey")
    await yard.up("journey")


async def restored(yard: System) -> bool:
    return bool((await yard.get("dispatch", "/v1/restore"))["restore"])


async def restore_rounds(yard: System) -> None:
    """A restored database holds every mail until a release was committed, whoever died meanwhile."""
    await yard.settle()
    mails = len(yard.mails.taken)
    await asyncio.to_thread(yard.supervisor.stop, "dispatch")
    await yard.rows("UPDATE dispatch.installation SET timeline = timeline + 1 RETURNING id")
    await yard.dies_at_start("dispatch", "dispatch.examine.before_commit")
    await yard.start_again("dispatch")
    await yard.up("dispatch")
    assert await restored(yard)
    await yard.load("held")
    await yard.settle()
    await dies(yard, "dispatch", "dispatch.release.before_commit", "/v1/restore/release", json={"by": "ops"})
    assert await restored(yard)
    await yard.settle()
    assert len(yard.mails.taken) == mails, "a mail left before the release was committed"
    answer = await yard.http.post(f"{yard.installation.url('dispatch')}/v1/restore/release", json={"by": "ops"})
    assert answer.json() == {"released": True}
    await yard.settle()
    assert len(yard.mails.taken) > mails
    await yard.check()


async def beat_round(yard: System) -> None:
    """A heartbeat that was cut off is no sign of another database."""
    before = yard.supervisor.restarts("dispatch")
    await yard.arm("dispatch", "dispatch.beat.before_commit")
    await yard.load("beat")
    assert await yard.died("dispatch", before), "dispatch does not beat"
    yard.was_hit("dispatch.beat.before_commit")
    await yard.settle()
    assert not await restored(yard)
    await yard.check()


async def zones_round(yard: System) -> None:
    """Another setting's zones are rolled up whole, or not at all."""
    zones = "SELECT zone FROM analytics.rolled_zone ORDER BY zone"
    before = await yard.rows(zones)
    other = {"TABIJI_ANALYTICS_ZONES": "Asia/Tokyo,America/New_York"}
    await yard.dies_at_start("analytics", "analytics.zones.before_commit", **other)
    assert await yard.rows(zones) == before
    await yard.start_again("analytics", **other)
    await yard.up("analytics")
    assert [row["zone"] for row in await yard.rows(zones)] == ["America/New_York", "Asia/Tokyo"]
    await yard.settle()
    await yard.check()


def test_sigkill_while_a_decision_or_a_start_is_committed(
    kafka: Any, postgres: Any, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async def story() -> None:
        extra = {"dispatch": {"TABIJI_LEASE": "3", "TABIJI_HEARTBEAT": "1"}}
        async with system(kafka, postgres, database, topic_prefix, tmp_path, extra=extra) as yard:
            await yard.load("d0")
            await publish_round(yard, "journey.publish.before_commit", committed=False)
            await publish_round(yard, "journey.publish.after", committed=True)
            await shipped_rounds(yard)
            await audited_round(yard)
            await rotated_round(yard)
            await replayed_round(yard)
            await yard.load("d1")
            await restore_rounds(yard)
            await beat_round(yard)
            await zones_round(yard)

    asyncio.run(story())
