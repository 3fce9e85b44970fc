"""The agent under what the container and the units allow, for real: another user, a read-only root, no capability, little memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cgroup import can_limit
from bench.restricted import SCRIPT, run
from tests.deploy.release import Release
from tests.deploy.test_release import answer, doors, started
from tests.deploy.tools import KUBERNETES
from tests.flow.programs import DOORS
from tests.needs import needs
from tests.ports import free_ports

BOTH = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"


@pytest.fixture
def volume() -> Iterator[Path]:
    """A directory that another user can reach; pytest's own are closed to them."""
    needs(os.geteuid() == 0 and shutil.which("setpriv"), "root, and the Debian package util-linux")
    directory = Path(tempfile.mkdtemp(prefix="coral-volume-"))
    yield directory
    shutil.rmtree(directory)


def test_the_agent_keeps_and_answers_as_the_container_lets_it(release: Release, volume: Path, tmp_path: Path):
    ports = free_ports(4)
    environ = doors("AGENT", DOORS, ports) | {"CORAL_AGENT__STORE__DIR": f"{volume}/store", "MALLOC_ARENA_MAX": "2"}
    environ |= release.environ
    with started([str(SCRIPT), str(volume), str(release.bin / "coral-agent"), "run"], environ, release.home) as process:
        owner = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001\n" in owner
        assert "CapEff:\t0000000000000000\n" in owner
        sends = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports[1]}"}
        assert answer(release, ["python", str(KUBERNETES / "hello/hello.py"), "1"], sends, tmp_path) == ""
        asks = {"CORAL_AGENT__QUERY__ENDPOINT": f"127.0.0.1:{ports[2]}"}
        assert "GET /hello" in answer(release, ["coral-agent", "spans"], asks, tmp_path)
        process.terminate()
        assert process.wait(20) == 0
    assert (volume / "store").stat().st_uid == 10001
    assert (volume / "store").stat().st_mode & 0o777 == 0o700


def inside(release: Release, volume: Path, program: str) -> subprocess.CompletedProcess[str]:
    """A Python program as the agent is run above."""
    command = [str(SCRIPT), str(volume), str(release.bin / "python"), "-c", program]
    return subprocess.run(command, env=release.environ, capture_output=True, text=True, timeout=30, check=False)


def test_what_runs_so_writes_nowhere_else(release: Release, volume: Path):
    assert inside(release, volume, f"open('{volume}/x', 'w')").returncode == 0
    for path in ("/tmp/coral-x", "/etc/coral-x", f"{release.home}/x", "/opt/coral-x"):
        assert "Read-only file system" in inside(release, volume, f"open('{path}', 'w')").stderr, path


def test_what_runs_so_gets_no_memory_that_is_writable_and_executable(release: Release, volume: Path):
    version = tuple(int(part) for part in os.uname().release.split(".")[:2])
    needs(version >= (6, 3), "Linux 6.3 or newer, which can deny memory that is writable and executable")
    assert "PermissionError" in inside(release, volume, BOTH).stderr


def test_half_a_gibibyte_is_enough_for_2000_spans_a_second(release: Release):
    """For a few seconds here; for five minutes, and in less: ``make restricted``."""
    needs(
        os.geteuid() == 0 and shutil.which("setpriv") and can_limit(), "root, util-linux, and cgroups with a memory controller"
    )
    found = run(release, [512], seconds=12, rate=2000)[512]
    assert (found["lived"], found["killed_for_memory"], found["errors"]) == (True, 0, {})
    assert found["accepted"] == found["sent"] >= 20_000
    assert found["questions_unanswered"] == 0
    assert found["own_max_mib"] < 300
