"""systemd is told when the doors are open, that the program lives, and that it stops: the real programs, a real socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.flow.programs import program
from tests.ports import free_ports

SECONDS = 30


def listening(kind: str, directory: Path) -> tuple[socket.socket, str]:
    """A datagram socket as systemd's, and what ``NOTIFY_SOCKET`` says of it."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.settimeout(SECONDS)
    if kind == "path":
        told.bind(f"{directory}/notify")
        return told, f"{directory}/notify"
    told.bind(f"\0coral-test-{os.getpid()}")
    return told, f"@coral-test-{os.getpid()}"


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_agent_tells_systemd_that_it_is_ready_that_it_lives_and_that_it_stops(kind, tmp_path):
    told, name = listening(kind, tmp_path)
    with told, program(tmp_path / "store", environ={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}) as agent:
        said = until(told, "READY=1")
        assert set(said) <= {"WATCHDOG=1", "READY=1"}
        assert agent.readyz() == "ready"
        until(told, "WATCHDOG=1")
        agent.process.terminate()
        until(told, "STOPPING=1")
        assert agent.process.wait(SECONDS) == 0


def until(told: socket.socket, message: str) -> list[str]:
    """What comes, up to a message."""
    said = [told.recv(100).decode()]
    while said[-1] != message:
        said.append(told.recv(100).decode())
    return said


@pytest.mark.parametrize("watched", [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}], ids=["unasked", "of another"])
def test_who_is_not_to_be_watched_sends_no_beats(watched, tmp_path):
    told, name = listening("path", tmp_path)
    with told, program(tmp_path / "store", environ={"NOTIFY_SOCKET": name} | watched) as agent:
        assert until(told, "READY=1") == ["READY=1"]
        agent.process.terminate()
        assert until(told, "STOPPING=1") == ["STOPPING=1"]


def test_an_agent_goes_on_without_whom_it_cannot_tell_and_says_so_once(tmp_path):
    with program(tmp_path / "store", environ={"NOTIFY_SOCKET": f"{tmp_path}/nobody"}) as agent:
        assert agent.readyz() == "ready"
        agent.process.terminate()
        assert agent.process.wait(SECONDS) == 0
        assert agent.log.read_text().count("systemd cannot be told") == 1


def test_the_colony_tells_systemd_that_it_is_ready_and_that_it_stops(tmp_path):
    told, name = listening("path", tmp_path)
    mcp, admin = free_ports(2)
    environ = os.environ | {
        "NOTIFY_SOCKET": name,
        "CORAL_COLONY__MCP__ENDPOINT": f"127.0.0.1:{mcp}",
        "CORAL_COLONY__ADMIN__ENDPOINT": f"127.0.0.1:{admin}",
        "CORAL_COLONY__AGENTS__STATIC": "127.0.0.1:1",
        "CORAL_COLONY__SUMMARIES__DIR": str(tmp_path / "summaries"),
    }
    command = [sys.executable, "-m", "colony", "run"]
    with told, subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert told.recv(100) == b"READY=1"
            assert httpx.get(f"http://127.0.0.1:{admin}/livez", trust_env=False).text == "alive\n"
            process.terminate()
            assert told.recv(100) == b"STOPPING=1"
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
