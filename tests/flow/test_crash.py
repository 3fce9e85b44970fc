"""kill -9, and starts that cannot be: the real program in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from tests.flow.house import TRACES
from tests.telemetry import request, span

DOORS = ("OTLP__GRPC", "OTLP__HTTP", "QUERY", "ADMIN")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def program(directory: Path, ports: list[int]) -> Iterator[subprocess.Popen[str]]:
    """``coral-agent run`` on these ports, up and listening; killed at the end when it still runs."""
    environ = dict(os.environ, CORAL_AGENT__LOG__FORMAT="json")
    environ |= {f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{port}" for door, port in zip(DOORS, ports, strict=True)}
    command = [sys.executable, "-m", "agent", "run", "--data-dir", str(directory)]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        alarm = threading.Timer(20, process.kill)
        alarm.start()
        try:
            for line in process.stderr:
                if '"listening"' in line:
                    break
            else:
                raise AssertionError(f"it did not start: exit code {process.wait()}")
            yield process
        finally:
            alarm.cancel()
            process.kill()


def kept(port: int) -> list[str]:
    """The span ids that an agent shows, page by page."""
    found: list[str] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = api_grpc.TelemetryQueryStub(channel)
        token = ""
        while True:
            page = stub.QuerySpans(api.QuerySpansRequest(start_time={"seconds": 1}, page_token=token), timeout=10)
            found += [one.span_id for one in page.spans]
            if not page.has_more:
                return found
            token = page.next_page_token


def ingest_until_killed(port: int, sender: int, acknowledged: list[str]) -> None:
    """Export batches of 100 spans, noting each that was acknowledged, until the agent is gone."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(TRACES)
        for number in range(100_000):
            spans = [span(sender * 100_000_000 + number * 100 + i) for i in range(100)]
            try:
                export(request(*spans).SerializeToString(), timeout=10)
            except grpc.RpcError:
                return
            acknowledged += [one.span_id.hex() for one in spans]


@pytest.mark.parametrize("batches_before_the_kill", [1, 40, 400])
def test_every_acknowledged_span_is_there_once_after_kill_9(tmp_path, batches_before_the_kill):
    ports = free_ports(4)
    acknowledged: list[list[str]] = [[], [], []]
    with program(tmp_path, ports) as process:
        senders = [
            threading.Thread(target=ingest_until_killed, args=(ports[0], number, acknowledged[number])) for number in range(3)
        ]
        for sender in senders:
            sender.start()
        with grpc.insecure_channel(f"127.0.0.1:{ports[2]}") as channel:
            stub = api_grpc.TelemetryQueryStub(channel)
            request_one = api.QuerySpansRequest(start_time={"seconds": 1}, limit=1)
            while stub.QuerySpans(request_one, timeout=10).total_count < batches_before_the_kill * 100:
                pass
        os.kill(process.pid, signal.SIGKILL)
        for sender in senders:
            sender.join(20)
    with program(tmp_path, ports):
        found = kept(ports[2])
    assert len(found) == len(set(found))
    lost = {span_id for ids in acknowledged for span_id in ids} - set(found)
    assert not lost
    assert len(found) >= batches_before_the_kill * 100


def test_sigterm_seals_and_exits_0(tmp_path):
    ports = free_ports(4)
    with program(tmp_path, ports) as process:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            channel.unary_unary(TRACES)(request(span(1)).SerializeToString(), timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
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


def test_a_directory_in_use_is_one_clear_line_and_leaves_the_first_agent_alone(tmp_path):
    ports = free_ports(4)
    with program(tmp_path, ports) as process:
        code, said = refusal(tmp_path)
        assert (code, said.count("\n")) == (2, 1)
        assert "store.dir" in said
        assert str(process.pid) in said
        assert kept(ports[2]) == []


def test_a_query_door_off_loopback_without_tls_is_one_clear_line(tmp_path):
    code, said = refusal(tmp_path, CORAL_AGENT__QUERY__ENDPOINT="0.0.0.0:4319")
    assert (code, said.count("\n")) == (2, 1)
    assert "query.tls" in said
