"""kill -9, and starts that cannot be: the real program in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests.flow.programs import DOORS, check_kept, program, sending, within

OK = grpc.StatusCode.OK


@pytest.mark.parametrize("batches_before_the_kill", [1, 40, 310])  # the last are more than a row group: part is in a file
def test_every_acknowledged_span_is_there_once_after_kill_9(tmp_path, batches_before_the_kill):
    with program(tmp_path) as agent, sending(agent.ports[0], resend=False) as senders:
        spans = batches_before_the_kill * 100
        within(30, lambda: sum(len(one.acknowledged) for one in senders) >= spans, "too few are kept")
        agent.process.kill()
        agent.process.wait(10)
    with program(tmp_path) as agent:
        found = agent.kept()
    check_kept(found, senders)
    assert len(found) >= spans


def test_sigterm_seals_and_exits_0(tmp_path):
    with program(tmp_path) as agent:
        assert agent.export(1) is OK
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(10) == 0
    assert len(list(tmp_path.glob("*.duckdb"))) == 1
    assert not list(tmp_path.glob("*.journal"))


def refusal(directory: Path, **environ: str) -> tuple[int, str]:
    """The exit code and what stands on standard error of a start that cannot be, within three seconds."""
    ports = dict(zip((f"CORAL_AGENT__{door}__ENDPOINT" for door in DOORS), ["127.0.0.1:0"] * 4, strict=True))
    result = subprocess.run(
        [sys.executable, "-m", "agent", "run", "--data-dir", str(directory)],
        env=dict(os.environ, **ports | environ),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize("door", DOORS)
def test_a_port_that_is_taken_is_one_clear_line(tmp_path, door):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refusal(tmp_path, **{f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{port}"})
    assert code == 2
    assert said.count("\n") == 1
    assert str(port) in said
    assert "already in use" in said
    assert f"{door.lower().replace('__', '.')}.endpoint" in said


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    code, said = refusal(tmp_path / "file" / "below")
    assert (code, said.count("\n")) == (2, 1)
    assert "store.dir" in said


def test_a_second_agent_on_the_directory_or_a_port_is_refused_by_name_and_leaves_the_first_alone(tmp_path):
    with program(tmp_path / "first") as agent:
        assert agent.export(1) is OK
        code, said = refusal(tmp_path / "first")
        assert (code, said.count("\n")) == (2, 1)
        assert "store.dir" in said
        assert str(agent.process.pid) in said
        for number, door in enumerate(DOORS[:3:2]):  # gRPC's, which would share a port without a word
            address = f"127.0.0.1:{agent.ports[2 * number]}"
            code, said = refusal(tmp_path / "second", **{f"CORAL_AGENT__{door}__ENDPOINT": address})
            assert (code, said.count("\n")) == (2, 1)
            assert address in said
        assert agent.export(2) is OK
        assert len(agent.kept()) == 2


def test_a_query_door_off_loopback_without_tls_is_one_clear_line(tmp_path):
    code, said = refusal(tmp_path, CORAL_AGENT__QUERY__ENDPOINT="0.0.0.0:4319")
    assert (code, said.count("\n")) == (2, 1)
    assert "query.tls" in said
