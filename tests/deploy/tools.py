"""The programs that check what is deployed: three environments of their own, made by ``make tools``, and the machine's."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.needs import needs

ROOT = Path(__file__).parent.parent.parent
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
Manifest = dict[str, Any]


def tool(environment: str, name: str) -> str:
    """A program of an environment that ``make tools`` makes."""
    path = ROOT / ".venv/tools" / environment / "bin" / name
    needs(path.exists(), f"{name}: make tools")
    return str(path)


def program(name: str, package: str) -> str:
    """A program of the machine."""
    found = shutil.which(name)
    needs(found, package)
    return str(found)


def run(*command: object, cwd: Path = ROOT) -> str:
    """What a command prints; it must succeed, within a minute."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def rendered(overlay: str) -> str:
    """An overlay as ``kubectl apply -k`` sends it."""
    return run(program("kubectl", "kubectl 1.29 or newer"), "kustomize", KUBERNETES / "overlays" / overlay)


def manifests(overlay: str) -> list[Manifest]:
    return [found for found in yaml.safe_load_all(rendered(overlay)) if found]


def of_kind(overlay: str, *kinds: str) -> list[Manifest]:
    return [found for found in manifests(overlay) if found["kind"] in kinds]


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Each workload's name and the spec of its pods."""
    for found in of_kind(overlay, "Deployment", "DaemonSet"):
        yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", []), *pod["containers"]]
