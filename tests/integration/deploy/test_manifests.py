"""What we deploy, against the schemas of those who read it, and its two tables of routes against the routes there are.

Kubernetes' own schemas come with kubernetes-validate; those of the gateway and of compose from their Go modules.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from fastapi import FastAPI

from libs.common.http import build_app
from services.all.rooms import SERVICES, Service, room_of
from services.all.server import whole_api
from tests.integration.deploy.tools import DEPLOY, ROOT, RUN_SECONDS_MAX, program, said

OVERLAYS = ("base", "overlays/production")
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.0.0"
COMPOSE_SPEC = "github.com/compose-spec/compose-go/v2@v2.0.0"
DCLINT = "dclint@3.1.0"
PER_PROCESS = {"/healthz", "/readyz", "/metrics"}
"""What every process answers for itself; the gateway sends nobody there."""
CONSOLE_PAGES = ("/", "/static/console.js", "/docs", "/docs/files/start.js", "/openapi.json")
IDS = {"offer_id": "con_a.offer.1", "workspace_id": "acme"}
MATCHES_MAX = 128
"""Of one HTTPRoute; its schema says so in a rule that only a cluster evaluates."""

Operation = tuple[str, str]
"""Method and path."""


@cache
def built(folder: str) -> list[dict[str, Any]]:
    """The manifests that kustomize makes of a folder."""
    tool = program("kubectl", "kustomize")
    verb = "kustomize" if Path(tool).name == "kubectl" else "build"
    return [one for one in yaml.safe_load_all(said([tool, verb, str(DEPLOY / "k8s" / folder)])) if one]


@cache
def module(path: str) -> Path:
    """The folder of a Go module, downloaded if need be; Go's checksum database vouches for it."""
    answer: dict[str, str] = json.loads(said([program("go"), "mod", "download", "-json", path], folder=Path("/")))
    return Path(answer["Dir"])


def pods() -> list[dict[str, Any]]:
    """The specs of all pods there will be."""
    return [one["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for one in of_kind(kind)]


def of_kind(kind: str, folder: str = "base") -> list[dict[str, Any]]:
    return [one for one in built(folder) if one["kind"] == kind]


# -- schemas -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", OVERLAYS)
def test_kubernetes_takes_every_manifest(folder: str) -> None:
    checked = [one for one in built(folder) if one["kind"] != "HTTPRoute"]
    for manifest in checked:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    assert {"Deployment", "Service", "Job", "PodDisruptionBudget", "NetworkPolicy"} <= {one["kind"] for one in checked}


def test_a_wrong_manifest_is_refused() -> None:
    deployment = json.loads(json.dumps(of_kind("Deployment")[0]))
    deployment["spec"]["template"]["spec"]["container"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_no_pod_is_told_what_it_would_take_for_settings() -> None:
    """Service links are variables such as OMNIROUTE_INGEST_PORT, and a start refuses settings that it doesn't know."""
    assert all(pod["enableServiceLinks"] is False for pod in pods())


def test_every_pod_has_somewhere_for_temporary_files() -> None:
    for pod in pods():
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_compose_keeps_what_the_broker_writes() -> None:
    broker = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]
    assert broker["environment"]["KAFKA_LOG_DIRS"] in {volume.split(":")[1] for volume in broker["volumes"]}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_gateway_takes_the_route(folder: str) -> None:
    crd = module(GATEWAY_API) / "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
    versions = yaml.safe_load(crd.read_text())["spec"]["versions"]
    (schema,) = (one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == "v1")
    (route,) = of_kind("HTTPRoute", folder)
    jsonschema.Draft202012Validator(closed(schema)).validate(route)
    assert sum(len(rule["matches"]) for rule in route["spec"]["rules"]) <= MATCHES_MAX


def closed(schema: Any) -> Any:
    """The schema as an API server applies it with strict field validation: no field that it doesn't name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return inner | {"additionalProperties": False} if named and "metadata" not in inner["properties"] else inner


def test_compose_takes_the_file() -> None:
    schema = json.loads((module(COMPOSE_SPEC) / "schema/compose-spec.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(composition())


def test_the_compose_linter_finds_nothing() -> None:
    """Its taste and no promise of ours, so nobody is made to install it: the schema above is what must hold."""
    if shutil.which("npx") is not None:
        options = ["-c", "deploy/compose/dclint.yaml", "--max-warnings", "0"]
        ended = subprocess.run(
            ["npx", "--yes", DCLINT, *options, "docker-compose.yml"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        if "npm error" not in ended.stderr:
            assert ended.returncode == 0, ended.stdout
            return
    pytest.skip(f"{DCLINT} can't be had: no npx, or no registry")


def composition() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


# -- commands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_service_is_deployed_once_by_a_command_that_there_is(folder: str) -> None:
    containers = [one["spec"]["template"]["spec"]["containers"] for one in of_kind("Deployment", folder)]
    assert sorted(container["args"] for (container,) in containers) == sorted(["serve", one] for one in SERVICES)


def test_compose_starts_every_service_once() -> None:
    commands = [one["command"] for one in composition()["services"].values() if one.get("image") == "omniroute:local"]
    assert sorted(commands) == sorted([["migrate"], *(["serve", one] for one in SERVICES)])


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_service_finds_the_pods_of_its_deployment_and_no_others(folder: str) -> None:
    for service in of_kind("Service", folder):
        wanted = service["spec"]["selector"].items()
        pods = {one["metadata"]["name"]: one["spec"]["template"]["metadata"] for one in of_kind("Deployment", folder)}
        found = [name for name, pod in pods.items() if wanted <= pod["labels"].items()]
        assert found == [service["metadata"]["name"]]


# -- routes ------------------------------------------------------------------------------------------------------


@cache
def operations() -> list[tuple[Service, Operation]]:
    """What each service answers, with an id for every placeholder; the console's pages too."""
    found = [(one, call) for one in SERVICES for call in calls(build_app(one, [room_of(one).routes], {}))]
    return [*found, *(("console", ("GET", page)) for page in CONSOLE_PAGES)]


def calls(app: FastAPI) -> list[Operation]:
    return [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda name: IDS.get(name[1], "con_a"), path))
        for path, methods in app.openapi()["paths"].items()
        if path not in PER_PROCESS
        for method in methods
    ]


@pytest.mark.parametrize(("service", "call"), operations(), ids=str)
def test_the_gateway_sends_it_to_who_answers_it(service: Service, call: Operation) -> None:
    (route,) = of_kind("HTTPRoute")
    assert gateway_choice(route["spec"]["rules"], call) == {f"omniroute-{service}"}


@pytest.mark.parametrize(("service", "call"), operations(), ids=str)
def test_compose_sends_it_to_who_answers_it(service: Service, call: Operation) -> None:
    assert traefik_choice(call) == service


def test_whatever_the_console_describes_somebody_answers() -> None:
    pages = {("GET", page) for page in CONSOLE_PAGES}
    assert set(calls(whole_api())) == {call for _, call in operations()} - pages


@dataclass(frozen=True)
class Match:
    backend: str
    kind: str
    value: str
    method: str | None

    def takes(self, call: Operation) -> bool:
        method, path = call
        if self.method not in (None, method):
            return False
        match self.kind:
            case "Exact": return path == self.value
            case "PathPrefix": return path == self.value or path.startswith(self.value.rstrip("/") + "/")
            case _: return re.fullmatch(self.value, path) is not None


def gateway_choice(rules: list[dict[str, Any]], call: Operation) -> set[str]:
    """Where any conforming gateway may send it: exact paths first, then the longest prefix; a regular expression's
    place among the prefixes is the implementation's, so one that matches competes with all of them."""
    matches = [one for one in map(match_of, pairs(rules)) if one.takes(call)]
    exact = [one for one in matches if one.kind == "Exact"]
    if exact:
        return {one.backend for one in exact}
    prefixes = [one for one in matches if one.kind == "PathPrefix"]
    longest = max((len(one.value) for one in prefixes), default=0)
    return {one.backend for one in matches if one.kind == "RegularExpression" or len(one.value) == longest}


def pairs(rules: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(rule, match) for rule in rules for match in rule["matches"]]


def match_of(pair: tuple[dict[str, Any], dict[str, Any]]) -> Match:
    rule, match = pair
    (backend,) = rule["backendRefs"]
    return Match(backend["name"], match["path"]["type"], match["path"]["value"], match.get("method"))


@cache
def traefik() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "routes.yml").read_text())["http"]
    assert {f"http://{name}:8080" for name in table["services"]} <= {f"http://{name}:8080" for name in SERVICES}
    return table


def traefik_choice(call: Operation) -> str | None:
    """The router of the highest priority whose rule holds; no two of one priority may hold."""
    holding = [one for one in traefik()["routers"].values() if holds(one["rule"], *call)]
    highest = max((one["priority"] for one in holding), default=0)
    chosen = [one["service"] for one in holding if one["priority"] == highest]
    assert len(chosen) <= 1, f"{call} goes to any of {chosen}"
    return chosen[0] if chosen else None


MATCHERS = {
    "Method": lambda value, method, _path: method == value,
    "Path": lambda value, _method, path: path == value,
    "PathPrefix": lambda value, _method, path: path.startswith(value),
    "PathRegexp": lambda value, _method, path: re.search(value, path) is not None,
}


def holds(rule: str, method: str, path: str) -> bool:
    """A rule of Traefik's: matchers, &&, || and parentheses."""
    said_of = re.sub(r"(\w+)\(`([^`]*)`\)", lambda m: str(MATCHERS[m[1]](m[2], method, path)), rule)
    return bool(eval(said_of.replace("&&", " and ").replace("||", " or "), {"__builtins__": {}}))
