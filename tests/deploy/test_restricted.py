"""The agent under what the container allows, for real: another user, a read-only root, no capability, no executable memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.release import Release
from tests.deploy.test_release import answer, doors, started
from tests.deploy.tools import KUBERNETES
from tests.flow.test_crash import DOORS, free_ports
from tests.needs import needs

SCRIPT = Path(__file__).parent / "restricted.sh"


@pytest.fixture
def volume() -> Iterator[Path]:
    """A directory that another user can reach; pytest's own are closed to them."""
    directory = Path(tempfile.mkdtemp(prefix="coral-volume-"))
    yield directory
    shutil.rmtree(directory)


def test_the_agent_keeps_and_answers_as_the_container_lets_it(release: Release, volume: Path, tmp_path: Path):
    needs(os.geteuid() == 0 and shutil.which("setpriv"), "root, and the Debian package util-linux")
    ports = free_ports(4)
    environ = doors("AGENT", DOORS, ports) | {"CORAL_AGENT__STORE__DIR": f"{volume}/store", "MALLOC_ARENA_MAX": "2"}
    environ |= {"LD_LIBRARY_PATH": str(release.home / "python/lib")}  # the copied Python looks for its library at its old place
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
