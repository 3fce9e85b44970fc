"""The phases of a whole-house run: saturate, fill an hour, ask, keep a steady rate. Each returns its figures."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock import MINUTE_NS, SystemClock
from bench.load import Order, Outcome, Running
from bench.machine import QUIET_SECONDS, REPOSITORY, Use, bytes_of, until_quiet, use_of
from bench.queries import BY_ATTRIBUTE, Question, percentile, questions, questions_of_logs, rows_kept, timed
from bench.target import Agent, Ended, Target

Figures = dict[str, Any]

HOUR_NS = 60 * MINUTE_NS
SEGMENTS_OF_AN_HOUR = 12
FILL_SECONDS = 600.0
"""The most that filling may take."""

BUSY_SECONDS = 60.0
"""The most that queries under load may take."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; see ``bench.house``."""

    shape: str
    connections: int
    seconds: float
    requests: int
    spans: int
    runs: int
    rate: float
    steady_seconds: float
    server_core: int
    client_core: int
    signal: str = "traces"
    killed: int = 0
    checkout: Path = REPOSITORY
    stage: str = "query"

    @property
    def settings(self) -> dict[str, str]:
        """Of every agent of the run, as environment names without their prefix."""
        return {"SCRUB__STAGE": self.stage}


WORDS = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}
"""Of each signal's instruments. In the figures a "span" is a record of the plan's signal."""


@dataclass(slots=True)
class _Watched:
    """A load while it ran: what came of it, the server before and at its end, and a sample of it every second."""

    outcome: Outcome
    before: Use
    after: Use
    samples: list[tuple[float, Use]]


def _watch(pid: int, order: Order, core: int) -> _Watched:
    before = use_of(pid)
    running = Running(order, core)
    samples: list[tuple[float, Use]] = []
    began = time.monotonic()
    while running.alive():
        time.sleep(0.05)
        if time.monotonic() - began >= len(samples) + 1:
            samples.append((time.monotonic() - began, use_of(pid)))
    return _Watched(running.outcome(), before, use_of(pid), samples)


def _sent(outcome: Outcome) -> Figures:
    latencies = outcome.latencies_ms or [math.nan]
    return {
        "requests": outcome.requests,
        "spans_sent": outcome.records,
        "spans_accepted": outcome.accepted,
        "bytes_per_span_on_the_wire": round(outcome.bytes / max(1, outcome.records), 1),
        "errors": outcome.errors,
        "missed": outcome.missed,
        "seconds": round(outcome.seconds, 2),
        "spans_per_second": round(outcome.accepted / outcome.seconds),
        "ack_p50_ms": round(percentile(latencies, 0.5), 2),
        "ack_p99_ms": round(percentile(latencies, 0.99), 2),
        "ack_max_ms": round(max(latencies), 2),
        "client_cores": round(outcome.client_cpu_seconds / outcome.seconds, 2),
    }


def saturate(pid: int, order: Order, core: int, quiet_seconds: float = QUIET_SECONDS) -> Figures:
    """Every connection sends as fast as it is answered; the server's CPU counts until it has been quiet for so long.

    Raises:
        RuntimeError: nothing was accepted.
    """
    until_quiet(pid, 20, min(quiet_seconds, QUIET_SECONDS))
    watched = _watch(pid, order, core)
    quiet, settled = until_quiet(pid, quiet_seconds=quiet_seconds)
    outcome, before = watched.outcome, watched.before
    if not outcome.accepted:
        raise RuntimeError(f"the server accepted nothing: {outcome.errors}")
    cpu = quiet.cpu_seconds - before.cpu_seconds
    return _sent(outcome) | {
        "cpu_seconds": round(cpu, 2),
        "cpu_seconds_after_the_load": round(quiet.cpu_seconds - watched.after.cpu_seconds, 2),
        "seconds_until_quiet": round(settled, 2),
        "spans_per_cpu_second": round(outcome.accepted / cpu),
        "written_bytes_per_span": round((quiet.written - before.written) / outcome.accepted, 1),
        "rss_at_start_mib": before.rss // _MIB,
        "rss_peak_mib": quiet.rss_peak // _MIB,
        "rss_end_mib": quiet.rss // _MIB,
    }


def ingest(plan: Plan, directory: Path) -> Figures:
    """Saturate an agent with its default configuration, then end it, which seals, and see what lies on disk.

    Raises:
        RuntimeError: what was acknowledged is not what the agent counted.
    """
    agent = Agent(directory, plan.server_core, plan.settings, plan.checkout)
    try:
        order = Order(
            agent.target.otlp_grpc,
            shape=plan.shape,
            signal=plan.signal,
            connections=plan.connections,
            seconds=plan.seconds,
            requests=plan.requests,
        )
        figures = saturate(agent.target.pid, order, plan.client_core)
        counted = agent.accepted(WORDS[plan.signal])
        before_stop = use_of(agent.target.pid).cpu_seconds
        figures |= _sealed(agent.stop(), before_stop, directory, counted)
        if counted != figures["spans_accepted"] and not figures["errors"]:
            raise RuntimeError(f"{figures['spans_accepted']} spans were acknowledged, the agent counted {counted}")
        return figures | {"start_seconds": round(agent.start_seconds, 2), "complaints": agent.complaints()[:20]}
    finally:
        agent.kill()


def _sealed(ended: Ended, before_stop: float, directory: Path, rows: int) -> Figures:
    sealing = ended.cpu_seconds - before_stop
    return {
        "spans_counted_by_the_agent": rows,
        "cpu_seconds_of_stop_and_seal": round(sealing, 2),
        "stop_seconds": round(ended.stop_seconds, 2),
        "bytes_per_span_on_disk": round(bytes_of(directory, "*_*_*") / rows, 1),
        "segments": len(list(directory.glob("*.duckdb"))),
        "journals_left": len(list(directory.glob("*.journal"))),
    }


def fill(plan: Plan, directory: Path, spans_per_second: float) -> tuple[Figures, list[str], int]:
    """An hour of telemetry in about twelve segments, sent at once: its event times, like its arrivals, go from old to new.

    Returns figures, ids of traces, and where the event times end, in nanoseconds.

    Raises:
        RuntimeError: nothing was accepted. (Some may be refused: adversarial spans come faster than they can be stored.)
    """
    requests = max(1, plan.spans // 512)
    segment = max(1, round(plan.spans / spans_per_second / SEGMENTS_OF_AN_HOUR))
    agent = Agent(directory, plan.server_core, plan.settings | {"STORE__SEGMENT": f"{segment}s"}, plan.checkout)
    try:
        end_ns = SystemClock().now_ns()
        order = Order(
            agent.target.otlp_grpc,
            shape=plan.shape,
            signal=plan.signal,
            seed=2,
            connections=plan.connections,
            seconds=FILL_SECONDS,
            requests=requests,
            first_ns=end_ns - HOUR_NS,
            step_ns=HOUR_NS // requests,
        )
        outcome = _watch(agent.target.pid, order, plan.client_core).outcome
        if not outcome.accepted:
            raise RuntimeError(f"the agent accepted nothing: {outcome.errors}")
        before_stop = use_of(agent.target.pid).cpu_seconds
        return _sent(outcome) | _sealed(agent.stop(), before_stop, directory, outcome.accepted), outcome.trace_ids, end_ns
    finally:
        agent.kill()


def kinds_of(plan: Plan, trace_ids: list[str], end_ns: int) -> list[Question]:
    """The queries for what was filled; see ``fill``."""
    return questions_of_logs(end_ns) if plan.signal == "logs" else questions(plan.shape, trace_ids, end_ns)


def killed(plan: Plan, directory: Path) -> Figures:
    """A full open segment, kill -9, how long the next start takes, and an attribute's value looked for in all that is there.

    Raises:
        RuntimeError: something that was acknowledged is not there.
    """
    agent = Agent(directory, plan.server_core, plan.settings, plan.checkout)
    try:
        order = Order(
            agent.target.otlp_grpc, shape=plan.shape, connections=plan.connections, seconds=60.0, requests=plan.killed // 512
        )
        outcome = _watch(agent.target.pid, order, plan.client_core).outcome
    finally:
        agent.kill()
    journal = sum(path.stat().st_size for path in directory.glob("*.journal"))
    again = Agent(directory, plan.server_core, plan.settings, plan.checkout)
    try:
        kept = rows_kept(again.target)
        if kept != outcome.accepted:
            raise RuntimeError(f"{outcome.accepted} spans were acknowledged, {kept} are there after the kill")
        return {
            "spans": outcome.accepted,
            "journal_mib": journal >> 20,
            "start_seconds": round(again.start_seconds, 2),
            "rss_mib": use_of(again.target.pid).rss >> 20,
            "queries": ask(again.target, _by_attribute(plan.shape, outcome.trace_ids), plan.runs, seconds=60.0),
        }
    finally:
        again.kill()


def _by_attribute(shape: str, trace_ids: list[str]) -> list[Question]:
    return [kind for kind in questions(shape, trace_ids) if kind.name == BY_ATTRIBUTE]


def ask(target: Target, kinds: list[Question], runs: int, seconds: float = 300.0) -> Figures:
    """Queries with nothing else going on."""
    until_quiet(target.pid, 20)
    return timed(target, kinds, runs, seconds)


def steady(plan: Plan, target: Target) -> Figures:
    """A steady rate: what it costs, how memory and open files move (the slopes are the second half's)."""
    before_load, _ = until_quiet(target.pid, 20)
    watched = _watch(target.pid, _steady_order(plan, target, plan.steady_seconds, seed=3), plan.client_core)
    quiet, _ = until_quiet(target.pid)
    half = watched.samples[len(watched.samples) // 2 :]
    return _sent(watched.outcome) | {
        "cores_used": round((quiet.cpu_seconds - before_load.cpu_seconds) / watched.outcome.seconds, 3),
        "rss_before_mib": before_load.rss // _MIB,
        "rss_max_mib": max(use.rss for _, use in watched.samples) // _MIB,
        "rss_end_mib": quiet.rss // _MIB,
        "rss_slope_mib_per_minute": round(slope([(at, use.rss / _MIB) for at, use in half]) * 60, 2),
        "files_slope_per_minute": round(slope([(at, use.files) for at, use in half]) * 60, 2),
        "written_bytes_per_span": round((quiet.written - before_load.written) / max(1, watched.outcome.accepted), 1),
    }


def _steady_order(plan: Plan, target: Target, seconds: float, seed: int) -> Order:
    return Order(target.otlp_grpc, shape=plan.shape, seed=seed, connections=plan.connections, seconds=seconds, rate=plan.rate)


def slope(points: list[tuple[float, float]]) -> float:
    """The rise per unit, by least squares; 0 of fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)


def ask_while_busy(plan: Plan, target: Target, kinds: list[Question], idle: Figures) -> Figures:
    """The same queries while the steady rate comes in, what that does to acknowledgements, and the queries again at rest.

    Again, since what came in meanwhile is asked too, and the machine is not as fast as minutes ago.
    """
    expected = sum(figures["p50_ms"] * plan.runs for figures in idle.values()) / 1000
    seconds = min(BUSY_SECONDS, 2 * expected + 4)
    running = Running(_steady_order(plan, target, seconds, seed=4), plan.client_core)
    time.sleep(1.5)  # the load's own start
    figures = timed(target, kinds, plan.runs, seconds - 3)
    load = _sent(running.outcome())
    until_quiet(target.pid, 20)
    return {"queries": figures, "load": load, "after": timed(target, kinds, plan.runs, BUSY_SECONDS)}
