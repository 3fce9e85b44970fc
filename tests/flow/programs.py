"""The real program in a process of its own, and senders that note what was acknowledged."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from tests.flow.house import TRACES
from tests.ports import free_ports
from tests.telemetry import request, span

DOORS = ("OTLP__GRPC", "OTLP__HTTP", "QUERY", "ADMIN")
FIU = [f"/usr/lib/fiu/fiu_{name}_preload.so" for name in ("run", "posix")]


def waited_for_cpu(pid: int) -> float:
    """For how many seconds a process's main thread could have run, had other programs not had the CPUs."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


class Program:
    """``coral-agent run`` that listens on four ports: OTLP gRPC and HTTP, query, admin."""

    def __init__(self, process: subprocess.Popen[bytes], ports: list[int], log: Path, seconds: float) -> None:
        self.process, self.ports, self.log, self.seconds_to_start = process, ports, log, seconds

    def readyz(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.ports[3]}/readyz", trust_env=False, timeout=5).text.strip()

    def metric(self, name: str) -> float:
        """The sum of an instrument's series; ``name`` may go on with the beginning of its labels."""
        page = httpx.get(f"http://127.0.0.1:{self.ports[3]}/metrics", trust_env=False, timeout=5).text
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))

    def fiu(self, command: str) -> None:
        control = f"{self.log.parent}/fiu"
        subprocess.run(["fiu-ctrl", "-f", control, "-c", command, str(self.process.pid)], check=True, timeout=10)

    def export(self, *numbers: int) -> grpc.StatusCode:
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[0]}") as channel:
            try:
                channel.unary_unary(TRACES)(request(*map(span, numbers)).SerializeToString(), timeout=10)
            except grpc.RpcError as error:
                return error.code()  # type: ignore[attr-defined]  # a call is its own error
        return grpc.StatusCode.OK

    def kept(self, service: str = "") -> list[str]:
        """The span ids that it shows, page by page, once nothing is missing from its answers and nothing in them repeated."""
        answers: list[tuple[list[str], set[str]]] = []

        def is_whole() -> bool:
            answers.append(self.shown(service))
            return not answers[-1][1]

        within(10, is_whole, "answers lack something, or rows are there twice")
        return answers[-1][0]

    def shown(self, service: str = "") -> tuple[list[str], set[str]]:
        """The span ids that it shows, page by page, and what its answers warn of."""
        found: list[str] = []
        warned: set[str] = set()
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[2]}") as channel:
            stub, token = api_grpc.TelemetryQueryStub(channel), ""
            while True:
                wanted = api.QuerySpansRequest(start_time={"seconds": 1}, service_name=service, page_token=token)
                page = stub.QuerySpans(wanted, timeout=20)
                found += [one.span_id for one in page.spans]
                warned.update(page.warnings)
                if not page.has_more:
                    return found, warned
                token = page.next_page_token


@contextlib.contextmanager
def program(
    directory: Path, *, environ: dict[str, str] | None = None, ports: list[int] | None = None, **settings: str
) -> Iterator[Program]:
    """The program, up and listening; killed at the end when it still runs. Its log is a file outside its data directory."""
    ports = ports or free_ports(4)
    told = dict(os.environ, CORAL_AGENT__LOG__FORMAT="json", CORAL_AGENT__STORE__MIN_FREE_BYTES="0") | (environ or {})
    told |= {f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{port}" for door, port in zip(DOORS, ports, strict=True)}
    told |= {f"CORAL_AGENT__{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "agent", "run", "--data-dir", str(directory)]
    with tempfile.TemporaryDirectory() as logs:
        log = Path(logs, "log")
        if "LD_PRELOAD" in told:
            told["FIU_CTRL_FIFO"] = f"{logs}/fiu"
        began = time.monotonic()
        with log.open("wb") as stderr, subprocess.Popen(command, env=told, stderr=stderr) as process:
            try:
                within(20, lambda: b'"listening"' in log.read_bytes() or process.poll() is not None, "it did not start")
                assert process.poll() is None, log.read_text()
                yield Program(process, ports, log, time.monotonic() - began - waited_for_cpu(process.pid))
            finally:
                process.kill()


def within(seconds: float, holds: Callable[[], bool], why: str) -> float:
    """Wait until something holds; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, why
        threading.Event().wait(0.02)
    return time.monotonic() - began


class Sender(threading.Thread):
    """Exports batches of spans, each until it is acknowledged, as an SDK does; notes those that were."""

    def __init__(self, port: int, number: int, *, batch: int = 100, resend: bool = True) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.refused: set[grpc.StatusCode] = set()
        self._port, self._number, self._batch, self._resend = port, number, batch, resend
        self._stopping = threading.Event()
        self.pause_seconds = 0.0
        """Between two batches: where senders must be there, and how many spans they send does not matter."""

    def run(self) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            export = channel.unary_unary(TRACES)
            for number in range(100_000):
                spans = [span(self._number * 100_000_000 + number * self._batch + i) for i in range(self._batch)]
                payload = request(*spans).SerializeToString()
                while not self._stopping.is_set():
                    try:
                        export(payload, timeout=10)
                        self.acknowledged += [one.span_id.hex() for one in spans]
                        self._stopping.wait(self.pause_seconds)
                        break
                    except grpc.RpcError as error:
                        self.refused.add(error.code())  # type: ignore[attr-defined]  # a call is its own error
                        if not self._resend:
                            return
                        self._stopping.wait(0.2)
                if self._stopping.is_set():
                    return

    def stop(self) -> None:
        self._stopping.set()
        self.join(20)


@contextlib.contextmanager
def sending(
    port: int, senders: int = 3, *, resend: bool = True, first: int = 1, pause_seconds: float = 0.0
) -> Iterator[list[Sender]]:
    """Senders at work until left."""
    found = [Sender(port, number, resend=resend) for number in range(first, first + senders)]
    for one in found:
        one.pause_seconds = pause_seconds
        one.start()
    try:
        yield found
    finally:
        for one in found:
            one.stop()


def check_kept(found: list[str], senders: list[Sender]) -> None:
    """Every acknowledged span is there, none twice."""
    assert len(found) == len(set(found)), "shown twice"
    lost = {one for sender in senders for one in sender.acknowledged} - set(found)
    assert not lost, f"{len(lost)} acknowledged spans are lost"
