"""What the doctor makes of what it sees: how bad each is, and that every bad line says what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from tabiji_cli.doctor import findings
from tabiji_cli.doctor.findings import GIB, Finding, worst

NOW = datetime(2026, 4, 1, tzinfo=UTC)
IDLE = {"lag": 0, "parked": 0}


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (findings.disk(20 * GIB, "/data"), "ok"),
        (findings.disk(3 * GIB, "/data"), "warn"),
        (findings.disk(GIB - 1, "/data"), "bad"),
        (findings.postgres("18.1"), "ok"),
        (findings.postgres("17.4 (Debian)"), "warn"),
        (findings.postgres(""), "bad"),
        (findings.ready("journey", "http://x", {"status": "ready"}), "ok"),
        (findings.ready("journey", "http://x", {"status": "starting"}), "warn"),
        (findings.ready("journey", "http://x", None), "bad"),
        (findings.durability("replicated-3"), "ok"),
        (findings.durability("single-broker"), "warn"),
        (findings.clock("journey", NOW, NOW + timedelta(seconds=1), simulated=False), "ok"),
        (findings.clock("journey", NOW, NOW - timedelta(seconds=10), simulated=False), "warn"),
        (findings.clock("journey", NOW, NOW + timedelta(minutes=1), simulated=False), "bad"),
        (findings.clock("journey", NOW, NOW + timedelta(days=9999), simulated=True), "ok"),
        (findings.work("journey", IDLE, stalled=False)[0], "ok"),
        (findings.work("journey", IDLE | {"lag": 20_000}, stalled=False)[0], "warn"),
        (findings.work("journey", IDLE | {"lag": 1}, stalled=True)[0], "bad"),
        (findings.work("journey", IDLE | {"parked": 2}, stalled=False)[1], "bad"),
        (findings.restored("journey", ""), "ok"),
        (findings.restored("journey", "timeline"), "bad"),
        (findings.topics({}), "ok"),
        (findings.topics({"a": "is missing"}), "bad"),
        (findings.topics(None), "bad"),
        (findings.migrations("journey", "0002", "0002"), "ok"),
        (findings.migrations("journey", "0001", "0002"), "bad"),
        (findings.migrations("journey", None, "0002"), "bad"),
        (findings.stuck(0), "ok"),
        (findings.stuck(1), "bad"),
        (findings.unknown(0, 1000), "ok"),
        (findings.unknown(3, 1000), "warn"),
        (findings.dead_letters(0), "ok"),
        (findings.dead_letters(3), "warn"),
        (findings.key(200), "ok"),
        (findings.key(503), "warn"),
        (findings.key(401), "bad"),
    ],
)
def test_a_finding_is_as_bad_as_it_is_and_says_what_to_do(finding: Finding, level: str) -> None:
    assert finding.level == level
    assert bool(finding.do) == (level != "ok")
    assert finding.seen


def test_the_worst_of_all_decides() -> None:
    lines = [findings.stuck(0), findings.unknown(1, 9), findings.key(401)]
    assert [worst(lines[: n + 1]) for n in range(3)] == ["ok", "warn", "bad"]
    assert worst([]) == "ok"


def test_many_topics_are_told_in_one_line() -> None:
    told = findings.topics({f"t{n}": "is missing" for n in range(5)})
    assert told.seen == "t0 is missing; t1 is missing; t2 is missing; and 2 more"
