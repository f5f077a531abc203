"""Compose, the Dockerfile and the scrape list say what the code says: services, ports, settings, versions."""

import re
from typing import Any

import pytest

from tabiji_cli.services import SERVICES
from tabiji_common.settings import Settings
from tests.architecture.deploy import (
    ADMIN,
    kafka_version,
    known_names,
    load,
    port_of,
    postgres_version,
    services,
    settings_of,
)
from tests.architecture.tree import ROOT

OTHERS = {"migrate", "kafka", "postgres", "mailpit", "prometheus", "grafana"}


def composed() -> dict[str, Any]:
    found: dict[str, Any] = load("docker-compose.yml")["services"]
    return found


def environment(name: str) -> dict[str, str]:
    found: dict[str, str] = composed()[name].get("environment", {})
    return found


def test_compose_has_every_service_and_no_other() -> None:
    assert set(composed()) == {*services(), *OTHERS}


def test_prometheus_scrapes_the_admin_port_of_every_service() -> None:
    jobs = load("deploy/prometheus/prometheus.yml")["scrape_configs"]
    scraped = {job["job_name"]: [to for group in job["static_configs"] for to in group["targets"]] for job in jobs}
    assert scraped == {name: [f"{name}:{port_of(name) + ADMIN}"] for name in services()}


@pytest.mark.parametrize("name", services())
def test_a_service_is_told_the_port_of_its_code_and_shown_to_this_host_alone(name: str) -> None:
    port = port_of(name)
    assert environment(name)["TABIJI_PORT"] == str(port)
    assert composed()[name]["ports"] == [f"127.0.0.1:{one}:{one}" for one in (port, port + ADMIN)]


@pytest.mark.parametrize("name", [*services(), "migrate"])
def test_compose_sets_only_what_the_service_reads(name: str) -> None:
    settings = Settings if name == "migrate" else settings_of(name)
    told = {f"TABIJI_{service.upper()}_URL" for service in SERVICES} | {"TABIJI_OPERATOR_KEY"}  # of other commands
    assert set(environment(name)) - known_names(settings) <= (told if name == "migrate" else set())


def test_the_scrape_list_and_compose_would_notice_an_unknown_setting() -> None:
    assert "TABIJI_KAFKA_BOOTSTRAPS" not in known_names(Settings)
    assert "TABIJI_KAFKA_BOOTSTRAP" in known_names(Settings)


@pytest.mark.parametrize("name", [*services(), "migrate"])
def test_a_container_of_ours_can_change_nothing_of_its_image(name: str) -> None:
    service = composed()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    built = "cli" if name == "migrate" else name
    assert service["build"]["args"] == {"SERVICE": built}


def test_no_container_may_gain_privileges_and_every_one_is_looked_after() -> None:
    for name, service in composed().items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["restart"] != "no", name
        assert "healthcheck" in service or name in services(), f"{name}: no health check (ours have the Dockerfile's)"


def test_topics_and_tables_are_there_before_a_service_that_needs_them_starts() -> None:
    for name in services():
        if "TABIJI_POSTGRES_DSN" in environment(name):
            waits = composed()[name]["depends_on"]
            assert waits["migrate"] == {"condition": "service_completed_successfully"}, name
            assert waits["kafka"] == waits["postgres"] == {"condition": "service_healthy"}, name


def test_every_volume_that_is_used_is_named_and_every_named_one_is_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in composed().values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert used == set(load("docker-compose.yml")["volumes"])
    mounted = [v.partition(":")[0] for s in composed().values() for v in s.get("volumes", []) if v.startswith(".")]
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_the_images_are_of_the_versions_that_the_embedded_stack_runs() -> None:
    assert composed()["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert composed()["postgres"]["image"] == f"postgres:{postgres_version()}"


def test_the_composed_broker_is_set_up_as_the_embedded_one() -> None:
    lines = (ROOT / "deploy" / "local" / "server.properties").read_text("utf-8").splitlines()
    local = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    there = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment("kafka").items()
        if name.startswith("KAFKA_")
    }
    shared = {
        "log.message.timestamp.type",
        "auto.create.topics.enable",
        "unclean.leader.election.enable",
        "group.min.session.timeout.ms",
        "log.retention.hours",
        "process.roles",
    }
    assert {name: there[name] for name in shared} == {name: local[name] for name in shared}
    copies = {name: local[name] for name in local if "{replicas}" in local[name] or "{min_in_sync}" in local[name]}
    assert {name: there[name] for name in copies} == dict.fromkeys(copies, "1")


def test_the_example_of_secrets_names_what_compose_asks_for() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))
    required = set(re.findall(r"\$\{(\w+):\?", text))
    shown = (ROOT / ".env.example").read_text("utf-8")
    named = set(re.findall(r"^#?(\w+)=", shown, re.MULTILINE))
    assert named - asked == set()
    assert required - set(re.findall(r"^(\w+)=$", shown, re.MULTILINE)) == set(), "required, and empty: no default"


def test_the_dockerfile_installs_by_hash_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert text.count("--require-hashes") == len(re.findall(r"-r requirements|pip sync", text))
    assert re.search(r"^USER \d{5}:\d{5}$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*deploy/livez\.py", text, re.MULTILINE)
    allowed = (ROOT / ".dockerignore").read_text("utf-8")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists()
            assert f"!{path}" in allowed.splitlines()


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return dict(line.split(" ")[0].split("==", 1) for line in lines if re.match(r"[\w-]+==", line))


def test_an_image_holds_packages_of_the_very_versions_that_are_tested() -> None:
    tested, image = locked("requirements.lock"), locked("requirements-image.lock")
    assert len(image) > 40
    assert {name: (version, tested.get(name)) for name, version in image.items() if tested.get(name) != version} == {}
