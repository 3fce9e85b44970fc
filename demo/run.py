"""The demo: ``python -m demo.run``. An agent, two services that send it traces, logs and metrics, and what to ask it.

The agent keeps its data in a temporary directory and takes its usual ports where they are free. It runs until Ctrl-C or for
``--seconds``, and ends only what it started.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc

REPOSITORY = Path(__file__).parent.parent
_DOORS = {"OTLP__GRPC": 4317, "OTLP__HTTP": 4318, "QUERY": 4319, "ADMIN": 4320}
_START_SECONDS = 60
_END_SECONDS = 30
_PAUSE_SECONDS = 0.15
"""Between two orders."""


@dataclass(frozen=True)
class Addresses:
    """Where the agent listens."""

    otlp: str
    query: str


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description="An agent, two services that send it telemetry, and what to ask it.")
    options.add_argument("--seconds", type=float, help="end after this long; else at Ctrl-C")
    options.add_argument("--free-ports", action="store_true", help="leave the agent's usual ports alone")
    asked = options.parse_args()
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    with tempfile.TemporaryDirectory(prefix="coral-demo-") as name, contextlib.suppress(KeyboardInterrupt):
        _demo(Path(name), asked.seconds, free_ports=asked.free_ports)


def _demo(directory: Path, seconds: float | None, *, free_ports: bool) -> None:
    with _agent(directory, free_ports=free_ports) as agent, grpc.insecure_channel(agent.query) as channel:
        stub = rpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call] # generated
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as services:
            payments = services.enter_context(_service(directory, "payments", agent))
            shop = services.enter_context(_service(directory, "shop", agent, f"http://127.0.0.1:{payments}/charge"))
            print("two services send traces, logs and metrics (metrics every 5 seconds); Ctrl-C ends it", flush=True)
            _send(stub, agent, f"http://127.0.0.1:{shop}/order", seconds)
        _tell_what_arrived(stub)


def _send(stub: rpc.TelemetryQueryStub, agent: Addresses, order: str, seconds: float | None) -> None:
    """Order again and again; say what to ask once an order that failed has arrived."""
    until = None if seconds is None else time.monotonic() + seconds
    has_said = False
    while until is None or time.monotonic() < until:
        try:
            urllib.request.urlopen(urllib.request.Request(order, b"{}"), timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
        has_said = has_said or _say_what_to_ask(stub, agent)
        time.sleep(_PAUSE_SECONDS)


def _say_what_to_ask(stub: rpc.TelemetryQueryStub, agent: Addresses) -> bool:
    failed = stub.QuerySpans(api.QuerySpansRequest(service_name="shop", errors_only=True, limit=1), timeout=10).spans
    if not failed:
        return False
    program = Path(sys.executable).with_name("coral-agent")
    program = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    target = "" if agent.query == f"127.0.0.1:{_DOORS['QUERY']}" else f" --target {agent.query}"
    print("ask, in another terminal:\n")
    for question in (
        "spans --errors",
        f"trace {failed[0].trace_id}",
        "logs --level error",
        "logs --follow",
        "metrics",
        "metrics --metric shop.orders",
        "metrics --metric http.server.request.duration",
        "names --service payments",
        "info",
    ):
        print(f"  {program} {question}{target}")
    print(flush=True)
    return True


def _tell_what_arrived(stub: rpc.TelemetryQueryStub) -> None:
    for kept in stub.GetDataInfo(api.GetDataInfoRequest(), timeout=10).signals:
        services = ", ".join(f"{service.service_name} {service.rows}" for service in kept.services)
        print(f"kept {kept.signal}: {services}", flush=True)


@contextlib.contextmanager
def _agent(directory: Path, *, free_ports: bool) -> Iterator[Addresses]:
    """``coral-agent run`` with its defaults, whatever this machine's configuration says."""
    (directory / "agent.toml").touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORAL_AGENT")}
    environ |= {
        f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{0 if free_ports or not _is_free(port) else port}"
        for door, port in _DOORS.items()
    }
    command = ["agent", "run", "--config", str(directory / "agent.toml"), "--data-dir", str(directory / "store")]
    log = directory / "agent.log"
    with _process(command, environ | {"CORAL_AGENT__LOG__FORMAT": "json"}, log) as process:
        until = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < until:
            for line in log.read_text().splitlines():
                event = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
                if event.get("event") == "listening":
                    print(f"an agent listens: OTLP {event['otlp_grpc']}, queries {event['query']}", flush=True)
                    yield Addresses(event["otlp_grpc"], event["query"])
                    return
            time.sleep(0.05)
        raise SystemExit(f"the agent did not come up:\n{log.read_text()}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


@contextlib.contextmanager
def _service(directory: Path, name: str, agent: Addresses, *arguments: str) -> Iterator[int]:
    """A service of the demo; its port."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environ = inherited | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{agent.otlp}"}
    log = directory / f"{name}.log"
    with _process([f"demo.{name}", *arguments], environ, log, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit(f"{name} did not come up:\n{log.read_text()}")
        yield int(line)


@contextlib.contextmanager
def _process(
    command: list[str], environ: Mapping[str, str], log: Path, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A Python module in a process of its own, which Ctrl-C does not reach; ended at the end."""
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=REPOSITORY,
            env=environ,
            stdout=written if stdout is None else stdout,
            stderr=written,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


if __name__ == "__main__":
    main()
