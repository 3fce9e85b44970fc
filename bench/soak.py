"""A long run at a steady rate with queries, then kill rounds: what must not grow, and what must not be lost.

``make soak``, or SOAK="--hour 12 --seconds 20 --rate 2000 --rounds 0" for less. The hour is cut short, to twelve segments all
the same, and sent once at the same rate before anything is counted: what is measured is an agent that seals and retires as fast
as it receives. Slopes of memory, descriptors and latency are of all that follows, by least squares.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from bench import report
from bench.load import Order, Outcome, Running
from bench.machine import REPOSITORY, Use, about, cores, use_of
from bench.phases import slope
from bench.target import Agent

_MIB = 1 << 20
ASK_SECONDS = 5.0
LOOK_SECONDS = 1.0
SHOWN_EVERY = 30
"""Looks between two readings of memory that are kept."""

SEGMENTS = 12
"""In an hour, by default."""


@dataclass(frozen=True, slots=True)
class Point:
    """One look at the agent, ``at`` seconds after the first; what a query took, when one was asked."""

    at: float
    use: Use
    query_ms: float | None


def soak(
    hour: Annotated[float, typer.Option(min=SEGMENTS, help="store.retention, in seconds; it is filled first.")] = 300,
    seconds: Annotated[float, typer.Option(help="How long to measure then.")] = 600,
    rate: Annotated[float, typer.Option(help="Spans a second.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Rounds of kill -9 afterwards.")] = 50,
    output: Annotated[str, typer.Option(help="The name of the result.")] = "soak",
) -> None:
    """Send, ask and watch; then kill and look."""
    figures: dict[str, Any] = {"about": about(), "hour_seconds": hour, "seconds": seconds, "rate": rate}
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        figures["steady"] = _steady(Path(directory, "store"), hour, seconds, rate)
    if rounds:
        figures["kills"] = _kills(rounds)
    path = report.write(figures, output)
    for name, value in (figures["steady"] | figures.get("kills", {})).items():
        print(f"{name:>36}  {value}")
    print(path)
    if "failed" in figures.get("kills", {}):
        raise typer.Exit(1)


def _steady(directory: Path, hour: float, seconds: float, rate: float) -> dict[str, Any]:
    server, client = cores()
    segment = hour / SEGMENTS
    settings = {"STORE__MIN_FREE_BYTES": "0", "STORE__RETENTION": f"{hour:.0f}s", "STORE__SEGMENT": f"{segment:.0f}s"}
    agent = Agent(directory, server, settings)
    try:
        filled = _sent(agent, Order(agent.target.otlp_grpc, seconds=hour + 2 * segment, rate=rate), client)[0]
        outcome, points = _sent(agent, Order(agent.target.otlp_grpc, seed=2, seconds=seconds, rate=rate), client)
        retired = _retired(agent.target.query)
        agent.stop()
        return (
            {"accepted_before": filled.accepted, "errors_before": filled.errors}
            | _figures(outcome, points)
            | {"retired_segments": retired, "complaints": agent.complaints()[:20]}
        )
    finally:
        agent.kill()


def _sent(agent: Agent, order: Order, client: int) -> tuple[Outcome, list[Point]]:
    """Send, and look at the agent every second; ask it something now and then."""
    running = Running(order, client)
    points: list[Point] = []
    began = time.monotonic()
    asked_at = -ASK_SECONDS
    while running.alive():
        at = time.monotonic() - began
        due = at - asked_at >= ASK_SECONDS
        asked_at = at if due else asked_at
        points.append(Point(at, use_of(agent.target.pid), _ask_ms(agent.target.query) if due else None))
        threading.Event().wait(LOOK_SECONDS)
    return running.outcome(), points


def _ask_ms(address: str) -> float:
    """How long the newest thousand spans of the last five minutes take."""
    with grpc.insecure_channel(address) as channel:
        began = time.perf_counter()
        api_grpc.TelemetryQueryStub(channel).QuerySpans(api.QuerySpansRequest(), timeout=30)
        return (time.perf_counter() - began) * 1000


def _retired(address: str) -> int:
    """Segments that the agent has let go by age."""
    with grpc.insecure_channel(address) as channel:
        info = api_grpc.TelemetryQueryStub(channel).GetDataInfo(api.GetDataInfoRequest(), timeout=30)
        return int(info.segments_retired_by_age)


def _figures(outcome: Outcome, points: list[Point]) -> dict[str, Any]:
    latencies = outcome.latencies_ms
    per_minute = len(latencies) / max(outcome.seconds, 1) * 60
    ordered = sorted(latencies) or [0.0]
    asked = [(point.at, point.query_ms) for point in points if point.query_ms is not None]
    in_order = sorted(ms for _, ms in asked) or [0.0]
    memory = [point.use.rss / _MIB for point in points]
    return {
        "accepted": outcome.accepted,
        "errors": outcome.errors,
        "missed": outcome.missed,
        "rss_first_mib": round(memory[0]),
        "rss_last_mib": round(memory[-1]),
        "rss_max_mib": round(max(memory)),
        "rss_slope_mib_per_minute": round(slope([(point.at, point.use.rss / _MIB) for point in points]) * 60, 3),
        "files_slope_per_minute": round(slope([(point.at, point.use.files) for point in points]) * 60, 3),
        "query_p50_ms": round(in_order[len(in_order) // 2], 2),
        "query_slope_ms_per_minute": round(slope(asked) * 60, 3),
        "acknowledged_p50_ms": round(ordered[len(ordered) // 2], 2),
        "acknowledged_p99_ms": round(ordered[len(ordered) * 99 // 100], 2),
        "acknowledged_slope_ms_per_minute": round(slope([(float(n), ms) for n, ms in enumerate(latencies)]) * per_minute, 3),
        "rss_each_half_minute_mib": [round(value) for value in memory[::SHOWN_EVERY]],
    }


def _kills(rounds: int) -> dict[str, Any]:
    """What the rounds showed, or that they failed: their own output says why."""
    test = "tests/flow/test_kills.py::test_kills_at_random_moments_under_several_senders_lose_nothing"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout", str(60 + 10 * rounds), test]
    with tempfile.NamedTemporaryFile() as told:
        environ = dict(os.environ, CORAL_KILL_ROUNDS=str(rounds), CORAL_KILL_FIGURES=told.name)
        if subprocess.run(command, cwd=REPOSITORY, env=environ, check=False).returncode != 0:
            return {"rounds": rounds, "failed": True}
        shown: dict[str, Any] = json.loads(told.read())
    return shown


if __name__ == "__main__":
    typer.run(soak)
