"""deploy/k8s says what the code says, and each of its documents is as Kubernetes' own schema has it.

Kinds of other makers (Kafka, Cluster, ScaledObject, …) have no schema there: they are passed over by name, and what
matters of them is looked at here.
"""

import re
import shutil
import subprocess
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tabiji_cli.__main__ import app
from tabiji_common.settings import Settings
from tests.architecture.deploy import (
    ADMIN,
    kafka_version,
    known_names,
    port_of,
    postgres_version,
    services,
    settings_of,
)
from tests.architecture.tree import ROOT

VERSION = "1.34"
BASE = ROOT / "deploy" / "k8s" / "base"
OVERLAYS = ("dev", "prod")
OF_OTHERS = {
    "Kafka": "kafka.strimzi.io/v1",
    "KafkaNodePool": "kafka.strimzi.io/v1",
    "Cluster": "postgresql.cnpg.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "PodMonitor": "monitoring.coreos.com/v1",
}
Documents = list[dict[str, Any]]


@cache
def written() -> Documents:
    """The base's resources as their files have them, without patches."""
    names = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["resources"]
    return [one for name in names for one in yaml.safe_load_all((BASE / name).read_text("utf-8"))]


@cache
def rendered(overlay: str) -> Documents:
    """What would be applied."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: the overlays are not rendered")
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "deploy" / "k8s" / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(documents: Documents, kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def container(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["spec"]["template"]["spec"]["containers"]
    return dict(found)


def problems(documents: Documents) -> list[str]:
    found = []
    for one in documents:
        if OF_OTHERS.get(one["kind"]) == one["apiVersion"]:
            continue
        try:
            kubernetes_validate.validate(one, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{one['kind']} {one['metadata']['name']}: {error.message}")
    return found


def test_every_document_is_as_its_schema_says() -> None:
    assert problems(written()) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_would_be_applied_is_as_its_schema_says(overlay: str) -> None:
    assert problems(rendered(overlay)) == []


def test_a_word_that_kubernetes_does_not_know_would_be_found() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    assert problems([wrong])


def test_kubernetes_has_every_service_on_its_port_and_none_besides() -> None:
    deployments = of_kind(written(), "Deployment")
    assert set(deployments) == set(services())
    for name in services():
        ports = {port["name"]: port["containerPort"] for port in container(deployments[name])["ports"]}
        assert ports == {"http": port_of(name), "admin": port_of(name) + ADMIN}
        served = {port["name"]: port["port"] for port in of_kind(written(), "Service")[name]["spec"]["ports"]}
        assert served == ports
        assert container(deployments[name])["image"] == f"tabiji-{name}"
        assert {"name": "TABIJI_PORT", "value": str(port_of(name))} in container(deployments[name])["env"]


def test_a_pod_is_told_only_what_its_service_reads() -> None:
    shared = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["configMapGenerator"][0]["literals"]
    backed = yaml.safe_load((BASE / "patches" / "backed.yaml").read_text("utf-8"))
    everywhere = {literal.partition("=")[0] for literal in shared}
    everywhere |= {one["name"] for one in container(backed)["env"]}
    assert everywhere - known_names(Settings) == set()
    for name in services():
        own = {one["name"] for one in container(of_kind(written(), "Deployment")[name])["env"]}
        assert own - known_names(settings_of(name)) == set(), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_bounded_has_no_privileges_and_writes_nowhere(overlay: str) -> None:
    documents = rendered(overlay)
    ours = of_kind(documents, "Deployment") | of_kind(documents, "Job") | of_kind(documents, "StatefulSet")
    assert set(ours) == {*services(), "migrate", "cli"}
    for name, document in ours.items():
        pod, one = document["spec"]["template"]["spec"], container(document)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, f"{name}: Kubernetes would set TABIJI_…_PORT"
        assert one["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert one["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in one["resources"]["limits"], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_is_probed_on_its_admin_port_and_kept_through_a_roll(overlay: str) -> None:
    documents = rendered(overlay)
    for name, document in of_kind(documents, "Deployment").items():
        one = container(document)
        assert one["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}, name
        assert one["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}, name
        assert document["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, name
        assert name in of_kind(documents, "PodDisruptionBudget")
    scaled = set(of_kind(documents, "ScaledObject")) | set(of_kind(documents, "HorizontalPodAutoscaler"))
    assert scaled == {*services()} - {"console"}


def test_production_keeps_every_event_and_every_commit_twice_at_least() -> None:
    documents = rendered("prod")
    kafka, pool = of_kind(documents, "Kafka")["tabiji"], of_kind(documents, "KafkaNodePool")["node"]
    config = kafka["spec"]["kafka"]["config"]
    assert pool["spec"]["replicas"] == config["default.replication.factor"] == 3
    assert config["min.insync.replicas"] == 2
    assert config["unclean.leader.election.enable"] is config["auto.create.topics.enable"] is False
    database = of_kind(documents, "Cluster")["tabiji-db"]["spec"]
    assert database["instances"] == 3
    assert database["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
    settings = next(one["data"] for name, one in of_kind(documents, "ConfigMap").items() if name.startswith("tabiji-"))
    assert settings["TABIJI_REPLICATION"] == "3"


def test_the_cluster_runs_the_versions_that_the_embedded_stack_runs() -> None:
    assert of_kind(written(), "Kafka")["tabiji"]["spec"]["kafka"]["version"] == kafka_version()
    image = of_kind(written(), "Cluster")["tabiji-db"]["spec"]["imageName"]
    assert image == f"ghcr.io/cloudnative-pg/postgresql:{postgres_version()}"


def test_the_pods_are_scraped_at_their_admin_ports() -> None:
    (endpoint,) = of_kind(written(), "PodMonitor")["tabiji"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "targetLabel": "job"}
    ]


def test_the_command_line_is_told_where_every_api_is_and_is_let_in_there() -> None:
    told = {one["name"]: one["value"] for one in container(of_kind(written(), "StatefulSet")["cli"])["env"]}
    apis = {name for name in services() if name != "console" and name in of_kind(written(), "Service")}
    known = {f"TABIJI_{name.upper()}_URL": f"http://{name}:{port_of(name)}" for name in apis}
    assert told.items() >= {name: known[name] for name in told}.items()
    assert {"TABIJI_INGEST_URL", "TABIJI_JOURNEY_URL", "TABIJI_DISPATCH_URL", "TABIJI_ANALYTICS_URL"} == set(told)
    (door,) = of_kind(written(), "NetworkPolicy")["from-console"]["spec"]["ingress"]
    (rule,) = door["from"][0]["podSelector"]["matchExpressions"]
    assert set(rule["values"]) == {"console", "cli"}


def test_on_one_node_no_image_is_asked_of_a_registry() -> None:
    documents = rendered("dev")
    pods = [one for kind in ("Deployment", "Job", "StatefulSet") for one in of_kind(documents, kind).values()]
    assert {container(one).get("imagePullPolicy") for one in pods} == {"IfNotPresent"}


def test_the_pages_commands_name_what_there_is() -> None:
    page = (ROOT / "deploy" / "k8s" / "README.md").read_text("utf-8")
    assert set(re.findall(r"exec -it (\S+)", page)) == {"cli-0", "tabiji-db-1"}
    assert set(re.findall(r"statefulset/(\S+)", page)) == {"cli"}
    there = typer_words()
    asked = set(re.findall(r"^\s*tabiji (\w+(?: (?:create|list|show|replay|settle))?)", page, re.MULTILINE))
    assert len(asked) > 4
    assert asked - there == set()


def typer_words() -> set[str]:
    """Every command of the command line, as it is typed."""
    found = {str(one.name or one.callback.__name__) for one in app.registered_commands if one.callback}
    for group in app.registered_groups:
        inner = group.typer_instance.registered_commands if group.typer_instance else []
        found |= {f"{group.name} {one.name or one.callback.__name__}" for one in inner if one.callback}
    return found
