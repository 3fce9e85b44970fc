"""The program as it is run: one process, ready once agents were asked, gone at SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.colony.agents import SmallAgent
from tests.colony.cli.test_commands import agents

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="environ")
def _environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "CORAL_COLONY__ADMIN__ENDPOINT": "127.0.0.1:0",
        "CORAL_COLONY__MCP__ENDPOINT": "127.0.0.1:0",
        "CORAL_COLONY__SUMMARIES__DIR": str(tmp_path / "state"),
        "CORAL_COLONY__LOG__FORMAT": "json",
    }


def started(environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "colony", "run"]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def listening(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stderr is not None
    for line in process.stderr:
        event: dict[str, str] = json.loads(line)
        if event["event"] == "listening":
            return event
    raise AssertionError("it ended before it listened")


def test_a_command_does_not_wait_for_what_only_a_running_colony_needs():
    path = os.pathsep.join((str(ROOT), str(ROOT / "proto")))
    command = [sys.executable, "-c", "import sys, colony.__main__; print(*sys.modules)"]
    imported = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, timeout=30, check=True).stdout
    assert not {"duckdb", "mcp", "numpy", "pyarrow", "uvicorn"} & set(imported.split()), "it takes two seconds"


def test_it_polls_pulls_and_tells_until_it_is_told_to_end(environ: dict[str, str], tmp_path: Path):
    with agents(SmallAgent("n1")) as targets:
        process = started(environ | {"CORAL_COLONY__AGENTS__STATIC": ",".join(targets)})
        try:
            admin = f"http://{listening(process)['admin']}"
            with httpx.Client(transport=httpx.HTTPTransport(retries=3), timeout=10) as client:
                until = time.monotonic() + 20
                while (ready := client.get(f"{admin}/readyz")).status_code != 200:
                    assert time.monotonic() < until, ready.text
                assert ready.text == "ready\n"
                assert client.get(f"{admin}/livez").text == "alive\n"
                metrics = client.get(f"{admin}/metrics").text
            assert 'coral_colony_agents{state="answered"} 1.0' in metrics
            assert "process_resident_memory_bytes" in metrics
            second = started(environ)
            _, said = second.communicate(timeout=30)
            assert second.returncode == 2
            assert "another colony uses it" in said
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "state/summaries.duckdb").exists()


def test_what_it_cannot_have_is_told_in_one_line_with_exit_code_two(environ: dict[str, str], tmp_path: Path):
    (tmp_path / "pem").write_text("x")
    tls = {f"CORAL_COLONY__AGENTS__TLS__{name}_FILE": str(tmp_path / "pem") for name in ("CERT", "KEY", "CA")}
    process = started(environ | tls)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 2
    assert said.strip() == f'agents.tls.cert_file = "{tmp_path / "pem"}": holds no PEM certificate, or one that is damaged'
