"""The wheel, installed alone in an empty environment outside the checkout, runs the agent, the colony and the commands."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import colony
from agent import __version__
from tests.deploy.release import Release
from tests.deploy.tools import KUBERNETES, ROOT, run, tool
from tests.flow.programs import DOORS
from tests.ports import free_ports


@contextlib.contextmanager
def started(command: list[str], environ: dict[str, str], directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that says ``listening`` within twenty seconds; killed at the end when it still runs."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(directory)} | environ
    with subprocess.Popen(command, env=clean, cwd=directory, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        alarm = threading.Timer(20, process.kill)
        alarm.start()
        said = []
        try:
            for line in process.stderr:
                said.append(line)
                if '"listening"' in line:
                    break
            else:
                raise AssertionError(f"it did not start: {''.join(said)}")
            alarm.cancel()
            yield process
        finally:
            alarm.cancel()
            process.kill()


def doors(program: str, names: tuple[str, ...], ports: list[int]) -> dict[str, str]:
    told = {f"CORAL_{program}__{name}__ENDPOINT": f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}
    return told | {f"CORAL_{program}__LOG__FORMAT": "json"}


def test_the_version_is_said_in_one_place_and_every_copy_agrees(release: Release):
    assert colony.__version__ == __version__
    assert release.sdist.name == f"coral_agent-{__version__}.tar.gz"
    assert release.wheel.name == f"coral_agent-{__version__}-py3-none-any.whl"
    assert f"ARG VERSION={__version__}\n" in (ROOT / "Dockerfile").read_text()
    for path in (
        ROOT / "deploy/compose.yaml",
        KUBERNETES / "agent/kustomization.yaml",
        KUBERNETES / "colony/kustomization.yaml",
    ):
        assert __version__ in path.read_text(), path
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]


def test_the_archives_hold_the_programs_and_nothing_of_the_workshop(release: Release):
    with zipfile.ZipFile(release.wheel) as wheel:
        rooms = {name.split("/")[0] for name in wheel.namelist()}
    assert rooms == {"agent", "colony", "coral", "otlp_columns", f"coral_agent-{__version__}.dist-info"}
    with tarfile.open(release.sdist) as sdist:
        inside = {name.split("/")[1] for name in sdist.getnames() if "/" in name}
    assert {"agent", "colony", "proto", "deploy", "docs", "LICENSE", "README.md"} <= inside
    assert not inside & {"tests", "bench", ".venv", "requirements"}


def test_the_programs_say_their_version_and_check_a_configuration(release: Release, tmp_path: Path):
    for program, sample in (("coral-agent", "agent.toml"), ("coral-colony", "colony.toml")):
        assert run(release.bin / program, "--version", cwd=tmp_path) == f"{program} {__version__}\n"
        effective = run(release.bin / program, "check", "--config", ROOT / "deploy" / sample, cwd=tmp_path)
        assert tomllib.loads(effective)["log"]["format"] == "console"


def test_the_agent_keeps_the_application_says_hello_and_the_commands_and_the_colony_answer(release: Release, tmp_path: Path):
    ports = free_ports(6)
    agent = doors("AGENT", DOORS, ports[:4]) | {"CORAL_AGENT__STORE__DIR": str(tmp_path / "store")}
    asks = {"CORAL_AGENT__QUERY__ENDPOINT": f"127.0.0.1:{ports[2]}"}
    of_colony = doors("COLONY", ("MCP", "ADMIN"), ports[4:]) | {"CORAL_COLONY__AGENTS__STATIC": f"127.0.0.1:{ports[2]}"}
    with started([str(release.bin / "coral-agent"), "run"], agent, tmp_path) as process:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports[1]}"}
        said = answer(release, ["python", str(KUBERNETES / "hello/hello.py"), "1"], environ, tmp_path)
        assert said == ""
        spans = json.loads(answer(release, ["coral-agent", "spans", "--output", "json"], asks, tmp_path))
        assert {span["operation_name"] for span in spans["spans"]} == {"GET /hello", "greet"}
        assert "guest0@example.com" not in json.dumps(spans)
        for signal in ("logs", "metrics"):
            assert "hello" in answer(release, ["coral-agent", signal], asks, tmp_path)
        with started([str(release.bin / "coral-colony"), "run"], of_colony, tmp_path):
            agents = answer(release, ["coral-colony", "agents"], of_colony, tmp_path)
            assert "greeter" in agents
        process.terminate()
        assert process.wait(20) == 0


def answer(release: Release, command: list[str], environ: dict[str, str], directory: Path) -> str:
    """What a command of the environment prints, errors included; it must succeed."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(directory)} | environ
    done = subprocess.run(
        [release.bin / command[0], *command[1:]],
        env=clean,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_requirement_has_a_wheel_for_both_processors(tmp_path: Path):
    command = [Path(tool("deploy", "yamllint")).parents[3] / "bin/uv", "pip", "install", "--dry-run", "--only-binary", ":all:"]
    for platform in ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28"):
        target = ["--target", tmp_path / platform, "--python-platform", platform, "--python-version", "3.11"]
        run(*command, *target, "--require-hashes", "-r", ROOT / "requirements/run.txt")


def test_the_bill_of_materials_names_every_requirement(tmp_path: Path):
    program = tool("sbom", "cyclonedx-py")
    inputs = ["--pyproject", ROOT / "pyproject.toml", ROOT / "requirements/run.txt"]
    run(program, "requirements", "--of", "JSON", "--no-validate", "-o", tmp_path / "sbom.json", *inputs)
    bill = json.loads((tmp_path / "sbom.json").read_text())
    pinned = [line.split("==")[0] for line in (ROOT / "requirements/run.txt").read_text().splitlines() if "==" in line]
    assert {part["name"].lower() for part in bill["components"]} == {name.lower() for name in pinned}
    assert bill["metadata"]["component"]["name"] == "coral-agent"
