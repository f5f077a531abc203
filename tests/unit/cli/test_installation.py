"""What services are started with, where they listen, and who may read the keys."""

from __future__ import annotations

import io
import os
import socket
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest
from rich.console import Console

from tabiji_cli import keys, listings, view
from tabiji_cli.processes import Installation, Ports
from tabiji_cli.services import PROCESSES, SERVICES
from tabiji_cli.stack.errors import PortTaken, StackError
from tabiji_cli.stack.ports import ADMIN, free_port

OUTGOING = 32768  # where Linux's ip_local_port_range begins


def installation(**more: object) -> Installation:
    return Installation("postgresql://here/db", "127.0.0.1:19092", "secret", **more)  # type: ignore[arg-type]


def test_the_documented_ports_are_the_defaults() -> None:
    ports = {service: Ports().of(service) for service in (*SERVICES, "console")}
    documented = {"console": 8000, "ingest": 8010, "journey": 8020, "dispatch": 8030, "analytics": 8040}
    assert ports.items() >= documented.items()
    assert installation().admin("ingest") == "http://127.0.0.1:9010"


def test_the_console_is_told_where_the_others_are_and_not_the_secret() -> None:
    found = installation(ports=Ports(journey=18020)).environment("console")
    assert found["TABIJI_JOURNEY_URL"] == "http://127.0.0.1:18020"
    assert found["TABIJI_WORKSPACE_SECRET"] == ""
    assert found["TABIJI_CONSOLE_SECRET"] not in {"", "secret"}
    again = installation().environment("console")
    assert again["TABIJI_CONSOLE_SECRET"] == found["TABIJI_CONSOLE_SECRET"]
    assert {*SERVICES, "console"} == set(PROCESSES)


def test_the_environment_moves_a_port() -> None:
    assert Ports.from_environment({"TABIJI_JOURNEY_PORT": "18020"}) == Ports(journey=18020)


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(StackError, match="must be a number"):
        Ports.from_environment({"TABIJI_MAIL_PORT": "mail"})


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = replace(Ports.free(), dispatch=taken.getsockname()[1])
        with pytest.raises(PortTaken, match=rf"process {os.getpid()} \(.*TABIJI_DISPATCH_PORT"):
            ports.require_free()


def test_a_chosen_port_and_its_admin_port_are_nobodys_and_no_outgoing_connection_can_take_them() -> None:
    chosen = [free_port() for _ in range(20)]
    assert len({*chosen, *(port + ADMIN for port in chosen)}) == 40
    assert all(port + ADMIN < OUTGOING for port in chosen)
    with socket.socket() as admin:
        admin.bind(("127.0.0.1", chosen[-1] + 1 + ADMIN))
        admin.listen()
        assert free_port() != chosen[-1] + 1


def test_a_service_is_told_where_everything_is_and_what_is_meant_for_it_alone() -> None:
    found = installation(
        prefix="demo1.",
        partitions=4,
        clock="simulated",
        time_master="http://127.0.0.1:5",
        extra={"*": {"A": "all"}, "dispatch": {"B": "one"}},
    ).environment("dispatch")
    assert found["TABIJI_PORT"] == "8030"
    assert found["TABIJI_TOPIC_PREFIX"] == "demo1."
    assert found["TABIJI_PARTITIONS"] == "4"
    assert (found["TABIJI_CLOCK"], found["TABIJI_TIME_MASTER"]) == ("simulated", "http://127.0.0.1:5")
    assert found["TABIJI_PUBLIC_URL"] == "http://127.0.0.1:8010"
    assert (found["A"], found["B"]) == ("all", "one")
    assert "B" not in installation(extra={"dispatch": {"B": "one"}}).environment("ingest")


def test_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    assert keys.known(tmp_path) is None
    made = keys.keys(tmp_path)
    assert len({made.live, made.backfill, made.secret, made.operator}) == 4
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert keys.keys(tmp_path) == keys.known(tmp_path) == made


def test_keys_of_before_operators_had_any_get_one_and_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"live": "l", "backfill": "b", "secret": "s"}', "ascii")
    made = keys.keys(tmp_path)
    assert (made.live, made.backfill, made.secret) == ("l", "b", "s")
    assert made.operator
    assert keys.keys(tmp_path) == made


def test_commands_find_the_last_up_unless_they_are_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TABIJI_HOME", str(tmp_path))
    assert keys.address("analytics", {}) == "http://127.0.0.1:8040"
    assert keys.operator({}) == ""
    keys.remember(tmp_path, keys.kept(installation(ports=Ports(analytics=18040))))
    assert keys.address("analytics", {}) == "http://127.0.0.1:18040"
    assert keys.address("analytics", {"TABIJI_ANALYTICS_PORT": "28040"}) == "http://127.0.0.1:28040"
    assert keys.operator({}) == keys.keys(tmp_path).operator
    assert keys.operator({"TABIJI_OPERATOR_KEY": "mine"}) == "mine"
    assert keys.bearer("mine") == {"Authorization": "Bearer mine"}
    assert keys.bearer("") == {}
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_view_without_a_key_says_how_to_come_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(401))
    with pytest.raises(view.ViewFailed, match="tabiji keys create NAME --scope read"):
        view.fetch("http://analytics", "ltv_by_cohort", {})


def test_a_view_is_shown_with_all_its_rows() -> None:
    content = msgspec.json.encode({"rows": [{"cohort_month": "1997-01", "retention": 0.25, "customers": None}]})
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(view.table("retention_monthly", content))
    text = console.export_text()
    for part in ("retention_monthly", "1997-01", "25.0%"):
        assert part in text


def test_a_view_that_nobody_serves_says_what_to_do() -> None:
    with pytest.raises(view.ViewFailed, match="is `tabiji up` running"):
        view.fetch(f"http://127.0.0.1:{free_port()}", "ltv_by_cohort", {})


def test_a_refused_view_tells_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = httpx.Response(404, json={"error": {"field": "name", "rule": "must be one of ltv_by_cohort"}})
    monkeypatch.setattr(httpx, "get", lambda *_, **__: refused)
    with pytest.raises(view.ViewFailed, match="name must be one of ltv_by_cohort"):
        view.fetch("http://analytics", "nonsense", {})


def test_every_topic_is_listed_with_what_it_holds() -> None:
    found = listings.topics()
    assert found["events.purchase.v1"] == "orders, refunds, deliveries and subscriptions"
    assert all(found.values())


def test_failpoints_of_every_service_are_listed() -> None:
    found = listings.failpoints()
    assert {name.partition(".")[0] for name in found} >= {"ingest", "dispatch", "analytics", "runtime"}
