"""The colony over ten agents: ``python -m bench.colony``.

Ten agents of this checkout as processes of their own, half of them on each of two cores, behind mutual TLS, each with its own
service and a share of one that all have; the colony in this process, on one of the two, without its cache. One agent, ten, a
trace over five services; then with two agents stopped and one that hangs. Then a hundred small agents in one process: what a
question costs the colony.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench import report
from bench.machine import REPOSITORY, about, cores, pinned, use_of
from bench.target import Agent
from colony.app import Rooms, opened
from colony.clock import MINUTE_NS, SystemClock
from colony.config.model import Config, Log
from colony.desk import Reply
from colony.log import set_up_logging
from colony.question import Question, TraceAnswer
from colony.signals import SPANS
from tests.flow.certificates import Authority

AGENTS = 10
SERVICES = 5
BATCH = 500
TRACES = 200
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BUDGETS_MS = {"one agent": 50.0, "ten agents": 150.0, "a trace over five services": 150.0}
"""Of the 95th percentile, for pages of 100 rows."""

DEADLINE_SECONDS = 2.0

Ask = Callable[[], Awaitable[Any]]
app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def colony(
    *,
    spans: Annotated[int, typer.Option(min=1000, max=10_000_000, help="On each of the ten agents.")] = 50_000,
    runs: Annotated[int, typer.Option(min=2, max=100_000, help="Of each question.")] = 100,
    late: Annotated[float, typer.Option(min=0, max=240, help="Seconds by which a span may come later than its time.")] = 5.0,
    small: Annotated[int, typer.Option(min=0, max=1000, help="Small agents in one process; 0 leaves them out.")] = 100,
    name: Annotated[str, typer.Option(help="In the name of the result.")] = "colony",
) -> None:
    """Measure, print, keep the JSON under bench/results/."""
    set_up_logging(Log(level="error"))
    server, client = cores()
    figures: dict[str, Any] = {
        "name": name,
        "about": about(),
        "plan": {"agents": AGENTS, "spans": spans, "runs": runs, "small": small, "late_seconds": late},
    }
    with tempfile.TemporaryDirectory(prefix="coral-bench-") as directory:
        figures |= _ten(Path(directory), (server, client), Fill(spans, late), runs)
    if small:
        figures["small_agents"] = _hundred(small, server, client, runs)
    print(json.dumps({key: value for key, value in figures.items() if key != "about"}, indent=2))
    print(f"kept in {report.write(figures, name)}")
    missed = [key for key, budget in BUDGETS_MS.items() if figures["questions"][key]["p95_ms"] > budget]
    if missed:
        raise SystemExit(f"over budget: {', '.join(missed)}")


@dataclass(frozen=True, slots=True)
class Fill:
    """What an agent is given: so many spans of four minutes in order of time, but for ``late`` seconds.

    Five seconds is what the SDKs gather spans for; with 240 every row of a page lies in another request.
    """

    spans: int
    late: float


def _ten(directory: Path, at: tuple[int, int], fill: Fill, runs: int) -> dict[str, Any]:
    authority, agents = Authority(), list[Agent]()
    (directory / "ca.pem").write_bytes(authority.pem)
    try:
        for number in range(AGENTS):
            agents.append(_agent(directory, authority, number, at[number % 2]))
            _fill(agents[-1], number, fill)
        with pinned(at[1]):
            return uvloop.run(_asked(directory, authority, agents, runs))
    finally:
        for agent in agents:
            agent.kill()


def _agent(directory: Path, authority: Authority, number: int, core: int) -> Agent:
    cert, key = authority.issue(f"spiffe://coral/agent/a{number}").write(directory, f"agent-{number}")
    tls = {"CERT": cert, "KEY": key, "CLIENT_CA": directory / "ca.pem"}
    settings = {f"QUERY__TLS__{name}_FILE": str(path) for name, path in tls.items()}
    return Agent(directory / f"a{number}", core, settings | {"AGENT__ID": f"a{number}"})


def _fill(agent: Agent, number: int, fill: Fill) -> None:
    """Spans of the last five minutes: half of the agent's own service, half of the one that all have."""
    begin, dice = SystemClock().now_ns() - 4 * MINUTE_NS, random.Random(number)
    late = round(fill.late * 1e9)
    with grpc.insecure_channel(agent.target.otlp_grpc) as channel:
        export = channel.unary_unary(EXPORT)
        for first in range(0, fill.spans, BATCH):
            service = f"svc-{number}" if first // BATCH % 2 else "shop"
            latest = begin + 4 * MINUTE_NS * first // fill.spans
            starts = {n: max(begin, latest - dice.randrange(late + 1)) for n in range(first, min(first + BATCH, fill.spans))}
            export(_request(service, number, starts, dice).SerializeToString())
    if agent.accepted() != fill.spans:
        raise RuntimeError(f"an agent kept {agent.accepted()} of {fill.spans} spans")


def _request(service: str, agent: int, starts: Mapping[int, int], dice: random.Random) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    resource.resource.attributes.add(key="host.name").value.string_value = f"node-{agent}"
    scope = resource.scope_spans.add()
    for number, start_ns in starts.items():
        scope.spans.append(_span(agent, number, start_ns, dice))
    return message


def _span(agent: int, number: int, start_ns: int, dice: random.Random) -> Span:
    """The first spans of the first five agents are traces over them all, each under the one of the agent before."""
    is_shared = number < TRACES and agent < SERVICES
    trace = number + 1 if is_shared else dice.getrandbits(127)
    parent = ((agent - 1) * 10**6 + number + 1).to_bytes(8, "big") if is_shared and agent else b""
    span = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=(agent * 10**6 + number + 1).to_bytes(8, "big"),
        parent_span_id=parent,
        name=f"GET /route/{number % 40}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + dice.randrange(1_000_000, 900_000_000),
    )
    for at in range(12):
        span.attributes.add(key=f"attribute.{at}").value.string_value = f"value {dice.randrange(100)} of {at}"
    return span


async def _asked(directory: Path, authority: Authority, agents: Sequence[Agent], runs: int) -> dict[str, Any]:
    cert, key = authority.issue("spiffe://coral/colony/bench").write(directory, "colony")
    tls = {"CERT": cert, "KEY": key, "CA": directory / "ca.pem"}
    environ = {f"CORAL_COLONY__AGENTS__TLS__{name}_FILE": str(path) for name, path in tls.items()}
    environ["CORAL_COLONY__AGENTS__STATIC"] = ",".join(str(agent.target.query) for agent in agents)
    environ |= {"CORAL_COLONY__CACHE__TTL": "0s", "CORAL_COLONY__AGENTS__DEADLINE": f"{round(DEADLINE_SECONDS * 1000)}ms"}
    async with opened(Config.load(None, environ), keeps_summaries=False) as rooms:
        await rooms.desk.registry.poll()
        figures: dict[str, Any] = {
            "questions": {
                "one agent": await _timed(runs, lambda: _find(rooms, "svc-3", 100, 1)),
                "one agent, 1000 rows": await _timed(runs, lambda: _find(rooms, "svc-3", 1000, 1)),
                "ten agents": await _timed(runs, lambda: _find(rooms, "shop", 100, AGENTS)),
                "ten agents, 1000 rows": await _timed(runs, lambda: _find(rooms, "shop", 1000, AGENTS)),
                "a trace over five services": await _timed(runs, lambda: _trace(rooms)),
            }
        }
        pulled = time.monotonic()
        await rooms.summaries.puller.pull()
        figures["summaries"] = {"pull_seconds": round(time.monotonic() - pulled, 3)}
        figures["summaries"] |= await _timed(runs, lambda: rooms.desk.summary("shop", 10 * MINUTE_NS))
        figures["broken"] = await _broken(rooms, agents)
    return figures


async def _find(rooms: Rooms, service: str, limit: int, agents: int) -> Reply:
    request = api.QuerySpansRequest(service_name=service)
    reply = await rooms.desk.find(Question(SPANS, request, 5 * MINUTE_NS, limit))
    if len(reply.answer.rows) != limit or len(reply.answer.outcomes) != agents or reply.answer.missing:
        raise RuntimeError(f"{service}: {len(reply.answer.rows)} rows, {reply.answer.outcomes}")
    return reply


async def _trace(rooms: Rooms) -> TraceAnswer:
    answer = await rooms.desk.trace(f"{random.randrange(TRACES) + 1:032x}")
    if len(answer.trace.nodes) != SERVICES or answer.missing or answer.trace.nodes[-1].depth != SERVICES - 1:
        raise RuntimeError(f"a trace of {len(answer.trace.nodes)} spans, {answer.trace.reasons}")
    return answer


async def _timed(runs: int, ask: Ask) -> dict[str, Any]:
    """Percentiles of a question's time, and the CPU time that it costs this process."""
    await ask()
    took, used = list[float](), time.process_time()
    for _ in range(runs):
        began = time.monotonic()
        await ask()
        took.append((time.monotonic() - began) * 1000)
    cpu = (time.process_time() - used) / runs
    return {
        "p50_ms": round(statistics.median(took), 1),
        "p95_ms": round(statistics.quantiles(took, n=20)[-1], 1),
        "max_ms": round(max(took), 1),
        "colony_cpu_seconds_each": round(cpu, 5),
    }


async def _broken(rooms: Rooms, agents: Sequence[Agent]) -> dict[str, Any]:
    """Two agents stopped and one that hangs: the answer comes in time, and names all three."""
    agents[1].kill()
    agents[2].kill()
    os.kill(agents[3].target.pid, signal.SIGSTOP)
    began = time.monotonic()
    reply = await rooms.desk.find(
        Question(SPANS, api.QuerySpansRequest(service_name="shop"), 5 * MINUTE_NS, 100), DEADLINE_SECONDS + 0.5
    )
    took = time.monotonic() - began
    named = {outcome.agent: str(outcome.result) for outcome in reply.answer.missing}
    if set(named) != {"a1", "a2", "a3"} or len(reply.answer.rows) != 100 or took > DEADLINE_SECONDS + 0.5:
        raise RuntimeError(f"{took:.2f} s, {len(reply.answer.rows)} rows, missing {named}")
    return {"seconds": round(took, 3), "deadline_seconds": DEADLINE_SECONDS, "missing": named, "rows": len(reply.answer.rows)}


def _hundred(count: int, server: int, client: int, runs: int) -> dict[str, Any]:
    with pinned(server):
        fleet = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet", str(count)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
    try:
        line = fleet.stdout.readline() if fleet.stdout else ""
        with pinned(client):
            return uvloop.run(_asked_small(json.loads(line), fleet.pid, runs))
    finally:
        fleet.kill()
        fleet.communicate()


async def _asked_small(addresses: Sequence[str], pid: int, runs: int) -> dict[str, Any]:
    environ = {"CORAL_COLONY__AGENTS__STATIC": ",".join(addresses), "CORAL_COLONY__CACHE__TTL": "0s"}
    async with opened(Config.load(None, environ), keeps_summaries=False) as rooms:
        began = time.process_time()
        await rooms.desk.registry.poll()
        figures: dict[str, Any] = {"poll_cpu_seconds": round(time.process_time() - began, 3)}
        for limit in (10, 100):
            before = use_of(pid).cpu_seconds
            found = await _timed(runs, partial(_find, rooms, "shop", limit, len(addresses)))
            found["agents_cpu_seconds_each"] = round((use_of(pid).cpu_seconds - before) / (runs + 1), 5)
            figures[f"{limit} rows of {len(addresses)} agents"] = found
    return figures


if __name__ == "__main__":
    app()
