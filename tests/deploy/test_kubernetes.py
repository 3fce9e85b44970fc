"""Every overlay builds, fits the API's schemas, is as restricted as it says, and holds a configuration that the programs accept."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agent import __version__
from agent.config.model import Config as AgentConfig
from agent.quantity import ByteSize
from colony.config.model import Config as ColonyConfig
from tests.deploy.tools import KUBERNETES, OVERLAYS, Manifest, containers, manifests, of_kind, pods, run, tool

CUSTOM: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "schemas/crds.yaml").read_text())
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@every_overlay
def test_an_overlay_fits_the_schemas_of_kubernetes(overlay, tmp_path):
    built_in = [found for found in manifests(overlay) if found["kind"] not in CUSTOM]
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump_all(built_in))
    told = run(tool("deploy", "kubernetes-validate"), "--strict", tmp_path / "overlay.yaml")
    assert "WARN" not in told
    assert told.count("passed for resource") == len(built_in) > 0


@every_overlay
def test_a_custom_resource_fits_our_own_schema(overlay):
    for found in of_kind(overlay, *CUSTOM):
        jsonschema.validate(found, CUSTOM[found["kind"]])


def test_a_misspelt_key_of_a_custom_resource_is_refused():
    certificate = next(found for found in of_kind("cert-manager", "Certificate") if "dnsNames" in found["spec"])
    certificate["spec"]["dnsName"] = ["agent.coral"]
    with pytest.raises(jsonschema.ValidationError, match="dnsName"):
        jsonschema.validate(certificate, CUSTOM["Certificate"])


def test_checkov_finds_nothing_that_is_not_skipped_with_a_reason(tmp_path):
    # Most overlays share most manifests: each once.
    different = {yaml.safe_dump(found) for overlay in OVERLAYS for found in manifests(overlay)}
    (tmp_path / "overlays.yaml").write_text("---\n".join(sorted(different)))
    told = run(tool("checkov", "checkov"), "--config-file", KUBERNETES.parent / "checkov.yaml", "-d", tmp_path)
    assert re.search(r"Passed checks: \d{3,}, Failed checks: 0", told)


@every_overlay
def test_pods_are_restricted_and_only_the_host_overlay_says_otherwise(overlay):
    for namespace in of_kind(overlay, "Namespace"):
        expected = "privileged" if overlay == "host" else "restricted"
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == expected
    for name, pod in pods(overlay):
        assert pod["automountServiceAccountToken"] is False or overlay == "sidecar", name
        assert not ({"hostNetwork", "hostPID", "hostIPC"} & set(pod))
        for container in containers(pod):
            assert_restricted(container, pod)
            assert overlay == "host" or not any("hostPort" in port for port in container.get("ports", []))
        assert overlay == "host" or not any("hostPath" in volume for volume in pod["volumes"])


def assert_restricted(container: Manifest, pod: Manifest) -> None:
    security = pod.get("securityContext", {}) | container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    if container["name"] != "own-directory":
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001)
        assert "add" not in security["capabilities"]


@every_overlay
def test_every_image_has_the_version_of_the_programs(overlay):
    images = {container["image"] for _, pod in pods(overlay) for container in containers(pod)}
    assert images == {f"coral-agent:{__version__}"}


@every_overlay
def test_what_is_mounted_is_a_volume_and_every_port_that_is_named_is_open(overlay):
    for name, pod in pods(overlay):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in containers(pod):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes, name
            named = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert probe not in container or container[probe]["httpGet"]["port"] in named, name
    opened = {port["name"] for _, pod in pods(overlay) for one in containers(pod) for port in one.get("ports", [])}
    for service in of_kind(overlay, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= opened


def test_applications_send_to_their_own_node_and_the_colony_finds_every_agent():
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind("certificates", "Service")}
    assert services["coral-agent"]["internalTrafficPolicy"] == "Local"
    assert services["coral-agents"]["clusterIP"] == "None"
    for overlay in ("certificates", "sidecar"):
        found = [one for one in of_kind(overlay, "DaemonSet", "Deployment") if "coral-agent" in str(one["spec"]["template"])]
        labels = [one["spec"]["template"]["metadata"]["labels"] for one in found if one["metadata"]["name"] != "coral-colony"]
        assert labels
        assert all(label["coral-agent"] == "true" for label in labels)
    (sidecar,) = (pod["initContainers"][0] for _, pod in pods("sidecar"))
    assert sidecar["restartPolicy"] == "Always"


def environment(container: Manifest) -> dict[str, str]:
    """Its variables; those that the kubelet fills in as a word."""
    return {one["name"]: one.get("value", "filled-in") for one in container.get("env", [])}


def configured(overlay: str, certificates: Path) -> list[tuple[str, AgentConfig | ColonyConfig, Manifest]]:
    """Each program of an overlay: its container's name, the configuration that it would start with, its pod."""
    files = {found["metadata"]["name"]: found["data"] for found in of_kind(overlay, "ConfigMap")}
    found: list[tuple[str, AgentConfig | ColonyConfig, Manifest]] = []
    for _, pod in pods(overlay):
        for container in containers(pod):
            if container["command"][0] not in ("coral-agent", "coral-colony"):
                continue
            model = AgentConfig if container["command"][0] == "coral-agent" else ColonyConfig
            environ = {name: here(value, certificates) for name, value in environment(container).items()}
            path = configuration_file(pod, container, files, certificates)
            found.append((container["name"], model.load(path, environ | {"HOME": str(certificates)}), pod))
    return found


def here(text: str, certificates: Path) -> str:
    """Paths of the container as paths of this test."""
    for where in ("/etc/coral/tls", "/etc/coral/spiffe", "/etc/coral/agents-ca", "/etc/coral/token"):
        text = text.replace(f"{where}/", f"{certificates}/")
    return text


def configuration_file(pod: Manifest, container: Manifest, files: dict[str, dict[str, str]], certificates: Path) -> Path | None:
    maps = {volume["name"]: volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    for mount in container.get("volumeMounts", []):
        if mount["mountPath"] in ("/etc/coral/agent.toml", "/etc/coral/colony.toml"):
            path = certificates / mount["subPath"]
            path.write_text(here(files[maps[mount["name"]]][mount["subPath"]], certificates))
            return path
    return None


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    run(KUBERNETES.parent / "certificates.sh", directory)
    (directory / "agent/token").write_text("a word of more than sixteen characters, like openssl rand -hex 32 makes")
    return directory / "agent"


@every_overlay
def test_the_programs_accept_their_configuration_and_the_disk_budget_fits_the_volume(overlay, certificates):
    programs = configured(overlay, certificates)
    assert programs
    for name, config, pod in programs:
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        if not isinstance(config, AgentConfig):
            continue
        assert str(config.store.dir).startswith("/var/lib/coral-agent/"), "a directory in the volume, which the agent can own"
        store = volumes.get("store") or volumes["coral-store"]
        if "emptyDir" in store:
            size = ByteSize.of(store["emptyDir"]["sizeLimit"] + "B").bytes
            assert config.store.max_bytes.bytes <= 0.8 * size, name
        assert not config.admin.endpoint.is_local, "the kubelet asks from outside"


def test_no_script_of_another_pod_can_ask_an_agent_without_a_certificate(certificates):
    for overlay in OVERLAYS:
        for _, config, _ in configured(overlay, certificates):
            if isinstance(config, AgentConfig):
                assert config.query.tls is not None or config.query.endpoint.is_local


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_each_amount_has_its_reason_on_the_line_above(path):
    lines = path.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if re.match(r"\s+(cpu|memory|ephemeral-storage|sizeLimit): ", line):
            assert above.lstrip().startswith("# "), line
