"""A long run at a steady rate with queries, then kill rounds: what must not grow, and what must not be lost.

``make soak``, or SOAK="--seconds 20 --rate 2000 --rounds 0" for less. Slopes of memory, descriptors and latency are those of
the second half, by least squares.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from bench import report
from bench.load import Order, Running
from bench.machine import REPOSITORY, about, cores, use_of
from bench.phases import slope
from bench.target import Agent

_MIB = 1 << 20
ASK_SECONDS = 5.0


def soak(
    seconds: Annotated[float, typer.Option(help="How long to send.")] = 600,
    rate: Annotated[float, typer.Option(help="Spans a second.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Rounds of kill -9 afterwards.")] = 50,
    output: Annotated[str, typer.Option(help="The name of the result.")] = "soak",
) -> None:
    """Send, ask and watch; then kill and look."""
    figures: dict[str, Any] = {"about": about(), "seconds": seconds, "rate": rate}
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        figures["steady"] = _steady(Path(directory, "store"), seconds, rate)
    if rounds:
        figures["kills"] = _kills(rounds)
    path = report.write(figures, output)
    for name, value in (figures["steady"] | figures.get("kills", {})).items():
        print(f"{name:>36}  {value}")
    print(path)
    if "failed" in figures.get("kills", {}):
        raise typer.Exit(1)


def _steady(directory: Path, seconds: float, rate: float) -> dict[str, Any]:
    server, client = cores()
    agent = Agent(directory, server, {"STORE__MIN_FREE_BYTES": "0"})
    try:
        running = Running(Order(agent.target.otlp_grpc, seconds=seconds, rate=rate), client)
        points: list[tuple[float, Any, float | None]] = []
        began, asked_at = time.monotonic(), 0.0
        while running.alive():
            at = time.monotonic() - began
            use = use_of(agent.target.pid)
            if at - asked_at >= ASK_SECONDS:
                asked_at = at
                points.append((at, use, _ask_ms(agent.target.query or "")))
            else:
                points.append((at, use, None))
            threading.Event().wait(1)
        outcome = running.outcome()
        agent.stop()
        return _figures(outcome, points) | {"complaints": agent.complaints()[:20]}
    finally:
        agent.kill()


def _ask_ms(address: str) -> float:
    """How long the newest thousand spans of the last five minutes take."""
    with grpc.insecure_channel(address) as channel:
        began = time.perf_counter()
        api_grpc.TelemetryQueryStub(channel).QuerySpans(api.QuerySpansRequest(), timeout=30)
        return (time.perf_counter() - began) * 1000


def _figures(outcome: Any, points: list[tuple[float, Any, float | None]]) -> dict[str, Any]:  # noqa: ANN401 bench.load.Outcome
    half = points[len(points) // 2 :]
    latencies = outcome.latencies_ms
    later = list(enumerate(latencies[len(latencies) // 2 :]))
    per_minute = len(latencies) / max(outcome.seconds, 1) * 60
    ordered = sorted(latencies) or [0.0]
    return {
        "accepted": outcome.accepted,
        "errors": outcome.errors,
        "missed": outcome.missed,
        "rss_max_mib": max((use.rss for _, use, _ in points), default=0) // _MIB,
        "rss_slope_mib_per_minute": round(slope([(at, use.rss / _MIB) for at, use, _ in half]) * 60, 3),
        "files_slope_per_minute": round(slope([(at, use.files) for at, use, _ in half]) * 60, 3),
        "query_slope_ms_per_minute": round(slope([(at, ms) for at, _, ms in half if ms is not None]) * 60, 3),
        "acknowledged_p50_ms": round(ordered[len(ordered) // 2], 2),
        "acknowledged_p99_ms": round(ordered[len(ordered) * 99 // 100], 2),
        "acknowledged_slope_ms_per_minute": round(slope([(float(n), ms) for n, ms in later]) * per_minute, 3),
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
