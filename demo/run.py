"""The demo: ``python -m demo.run``. Two agents with a service each, a colony that asks both, and what to ask it.

Everything is kept in a temporary directory; the shop's agent and the colony take their usual ports where they are free. It runs
until Ctrl-C or for ``--seconds``, and ends only what it started.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc

REPOSITORY = Path(__file__).parent.parent
_DOORS = {"OTLP__GRPC": 4317, "OTLP__HTTP": 4318, "QUERY": 4319, "ADMIN": 4320}
_COLONY_DOORS = {"MCP": 4321, "ADMIN": 4322}
_WARM_SECONDS = 8
"""Of orders, before the investigation: the slow and the failed ones come by then."""
_START_SECONDS = 60
_END_SECONDS = 30
_PAUSE_SECONDS = 0.15
"""Between two orders."""


@dataclass(frozen=True)
class Addresses:
    """Where an agent listens."""

    otlp: str
    query: str


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description="Two agents with a service each, a colony, and what to ask them.")
    options.add_argument("--seconds", type=float, help="end after this long; else at Ctrl-C")
    options.add_argument("--free-ports", action="store_true", help="leave the usual ports alone")
    asked = options.parse_args()
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    with tempfile.TemporaryDirectory(prefix="coral-demo-") as name, contextlib.suppress(KeyboardInterrupt):
        _demo(Path(name), asked.seconds, free_ports=asked.free_ports)


def _demo(directory: Path, seconds: float | None, *, free_ports: bool) -> None:
    """The shop's telemetry goes to one agent and the payments' to the other, so that every trace is on both."""
    with contextlib.ExitStack() as house:
        shops = house.enter_context(_agent(directory, "node-1", free_ports=free_ports))
        payments = house.enter_context(_agent(directory, "node-2", free_ports=True))
        agents = [shops, payments]
        colony = house.enter_context(_colony(directory, agents, free_ports=free_ports))
        stubs = [house.enter_context(_asking(agent)) for agent in agents]
        with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as services:
            charges = services.enter_context(_service(directory, "payments", payments))
            orders = services.enter_context(_service(directory, "shop", shops, f"http://127.0.0.1:{charges}/charge"))
            print("two services send traces, logs and metrics (metrics every 5 seconds); Ctrl-C ends it", flush=True)
            order = f"http://127.0.0.1:{orders}/order"
            _send(stubs[0], agents, order, min(_WARM_SECONDS, seconds or _WARM_SECONDS))
            _investigate(colony)
            _send(stubs[0], agents, order, None if seconds is None else max(0.0, seconds - _WARM_SECONDS), has_said=True)
        _tell_what_arrived(stubs)


@contextlib.contextmanager
def _asking(agent: Addresses) -> Iterator[rpc.TelemetryQueryStub]:
    with grpc.insecure_channel(agent.query) as channel:
        yield rpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call] # generated


def _investigate(url: str) -> None:
    """Play an investigation through the colony's MCP server."""
    print(f"an investigation through MCP at {url}; a host of yours can ask there too:\n", flush=True)
    subprocess.run([sys.executable, "-m", "demo.investigation", url], cwd=REPOSITORY, check=False, timeout=_START_SECONDS)


def _send(
    stub: rpc.TelemetryQueryStub, agents: Sequence[Addresses], order: str, seconds: float | None, *, has_said: bool = False
) -> None:
    """Order again and again; say what to ask once an order that failed has arrived."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        try:
            urllib.request.urlopen(urllib.request.Request(order, b"{}"), timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
        has_said = has_said or _say_what_to_ask(stub, agents)
        time.sleep(_PAUSE_SECONDS)


def _say_what_to_ask(stub: rpc.TelemetryQueryStub, agents: Sequence[Addresses]) -> bool:
    failed = stub.QuerySpans(api.QuerySpansRequest(service_name="shop", errors_only=True, limit=1), timeout=10).spans
    if not failed:
        return False
    trace_id = failed[0].trace_id
    print("ask both agents at once, in another terminal:\n")
    print(f"  export CORAL_COLONY__AGENTS__STATIC={','.join(agent.query for agent in agents)}")
    colony = _program("coral-colony")
    for question in ("agents", "summary shop", "spans --errors", f"trace {trace_id}", f"logs --trace-id {trace_id}"):
        print(f"  {colony} {question}")
    print("\nor the one that has the shop:\n")
    query = agents[0].query
    target = "" if query == f"127.0.0.1:{_DOORS['QUERY']}" else f" --target {query}"
    for question in ("logs --follow", "metrics", "metrics --metric shop.orders", "names --service shop", "info"):
        print(f"  {_program('coral-agent')} {question}{target}")
    print(flush=True)
    return True


def _program(name: str) -> Path:
    """A program of this environment, as short as it can be typed here."""
    program = Path(sys.executable).with_name(name)
    return program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program


def _tell_what_arrived(stubs: Sequence[rpc.TelemetryQueryStub]) -> None:
    kept: dict[str, list[str]] = {}
    for number, stub in enumerate(stubs, 1):
        for found in stub.GetDataInfo(api.GetDataInfoRequest(), timeout=10).signals:
            rows = [f"{service.service_name} {service.rows} on node-{number}" for service in found.services]
            kept.setdefault(found.signal, []).extend(rows)
    for name, rows in kept.items():
        print(f"kept {name}: {', '.join(rows)}", flush=True)


@contextlib.contextmanager
def _colony(directory: Path, agents: Sequence[Addresses], *, free_ports: bool) -> Iterator[str]:
    """``coral-colony run`` over these agents, whatever this machine's configuration says; where its MCP answers."""
    (directory / "colony.toml").touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORAL_COLONY")}
    environ |= {
        "CORAL_COLONY__AGENTS__STATIC": ",".join(agent.query for agent in agents),
        "CORAL_COLONY__SUMMARIES__DIR": str(directory / "colony"),
        "CORAL_COLONY__SUMMARIES__INTERVAL": "2s",
        "CORAL_COLONY__LOG__FORMAT": "json",
    }
    environ |= {
        f"CORAL_COLONY__{door}__ENDPOINT": f"127.0.0.1:{0 if free_ports or not _is_free(port) else port}"
        for door, port in _COLONY_DOORS.items()
    }
    log = directory / "colony.log"
    with _process(["colony", "run", "--config", str(directory / "colony.toml")], environ, log) as process:
        event = _listening(process, log)
        print(f"a colony asks both agents: http://{event['admin']}/metrics", flush=True)
        yield f"http://{event['mcp']}/mcp"


@contextlib.contextmanager
def _agent(directory: Path, name: str, *, free_ports: bool) -> Iterator[Addresses]:
    """``coral-agent run`` with its defaults, whatever this machine's configuration says."""
    config, log = directory / f"{name}.toml", directory / f"{name}.log"
    config.touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORAL_AGENT")}
    environ |= {
        f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{0 if free_ports or not _is_free(port) else port}"
        for door, port in _DOORS.items()
    }
    environ |= {"CORAL_AGENT__AGENT__ID": name, "CORAL_AGENT__LOG__FORMAT": "json"}
    command = ["agent", "run", "--config", str(config), "--data-dir", str(directory / name)]
    with _process(command, environ, log) as process:
        event = _listening(process, log)
        print(f"the agent {name} listens: OTLP {event['otlp_grpc']}, queries {event['query']}", flush=True)
        yield Addresses(event["otlp_grpc"], event["query"])


def _listening(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    """What a program says once it listens."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text().splitlines():
            event: dict[str, str] = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            if event.get("event") == "listening":
                return event
        time.sleep(0.05)
    raise SystemExit(f"it did not come up:\n{log.read_text()}")


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
