"""The agent as its container runs it, in cgroups of several sizes at once: ``python -m bench.restricted``, as root.

Each is the released wheel as uid 10001 on a read-only root (tests/deploy/restricted.sh), with a client of its own at a steady
rate and, every few seconds, a question for a thousand spans. What is asked: that it lives, refuses nothing, and how much of its
memory is its own. ``make restricted``, or RESTRICTED="--seconds 15 --memory 512" for less.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from bench import report
from bench.cgroup import Cgroup, cgroup
from bench.load import Order, Running
from bench.machine import about, cores, use_of
from bench.phases import slope
from bench.target import Agent, Installed
from tests.deploy.release import Release, released

SCRIPT = Path(__file__).parents[1] / "tests/deploy/restricted.sh"
ASK_SECONDS = 5.0
_MIB = 1 << 20


@dataclass
class Cell:
    """An agent in its cgroup, and what was seen of it: moment, CPU seconds, own bytes."""

    agent: Agent
    group: Cgroup
    seen: list[tuple[float, float, int]]
    unanswered: int = 0

    def lives(self) -> bool:
        """Whether it runs still."""
        return self.group.kills() == 0 and Path(f"/proc/{self.agent.target.pid}/fd").exists()

    def look(self, at: float) -> None:
        """Note what it uses."""
        if self.lives():
            self.seen.append((at, use_of(self.agent.target.pid).cpu_seconds, self.group.own_bytes()))

    def ask(self) -> None:
        """The newest thousand spans."""
        try:
            with grpc.insecure_channel(str(self.agent.target.query)) as channel:
                api_grpc.TelemetryQueryStub(channel).QuerySpans(api.QuerySpansRequest(), timeout=10)  # type: ignore[no-untyped-call] # generated
        except grpc.RpcError:
            self.unanswered += 1


def restricted(
    memory: Annotated[list[int] | None, typer.Option(min=64, help="MiB of a cgroup; again for another.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long to send.")] = 300,
    rate: Annotated[float, typer.Option(min=1, help="Spans a second, to each.")] = 2000,
    name: Annotated[str, typer.Option(help="In the name of the result.")] = "restricted",
) -> None:
    """Send, ask and watch; keep the JSON under bench/results/."""
    figures: dict[str, Any] = {"name": name, "about": about(), "plan": {"seconds": seconds, "rate": rate}}
    with released() as release:
        figures["by_mib"] = run(release, memory or [512], seconds, rate)
    for mib, found in figures["by_mib"].items():
        print(f"{mib:>5} MiB  {found}")
    print(f"kept in {report.write(figures, name)}")


def run(release: Release, sizes: list[int], seconds: float, rate: float) -> dict[int, dict[str, Any]]:
    """The figures of each size in MiB."""
    with ExitStack() as stack:
        cells = {mib: stack.enter_context(_cell(release, mib)) for mib in sizes}
        _, client = cores()
        orders = {mib: Order(cell.agent.target.otlp_grpc, seconds=seconds, rate=rate) for mib, cell in cells.items()}
        running = {mib: Running(order, client) for mib, order in orders.items()}
        _watch(list(cells.values()), list(running.values()))
        return {mib: _figures(cell, running[mib]) for mib, cell in cells.items()}


@contextmanager
def _cell(release: Release, mib: int) -> Iterator[Cell]:
    volume = Path(tempfile.mkdtemp(prefix="coral-volume-"))
    try:
        with cgroup(f"coral-{volume.name}", mib * _MIB) as group:
            environ = release.environ | {"CGROUP": str(group.directory), "MALLOC_ARENA_MAX": "2"}
            command = [str(SCRIPT), str(volume), str(release.bin / "coral-agent")]
            agent = Agent(volume / "store", cores()[0], {}, installed=Installed(command, environ))
            try:
                yield Cell(agent, group, [])
            finally:
                agent.kill()
    finally:
        shutil.rmtree(volume)


def _watch(cells: list[Cell], running: list[Running]) -> None:
    began = asked_at = time.monotonic()
    while any(one.alive() for one in running):
        threading.Event().wait(1)
        now = time.monotonic()
        for cell in cells:
            cell.look(now - began)
        if now - asked_at >= ASK_SECONDS:
            asked_at = now
            for cell in cells:
                cell.ask()


def _figures(cell: Cell, running: Running) -> dict[str, Any]:
    outcome, lives = running.outcome(), cell.lives()
    half = cell.seen[len(cell.seen) // 2 :]
    (first_at, first_cpu, _), (last_at, last_cpu, _) = cell.seen[0], cell.seen[-1]
    ordered = sorted(outcome.latencies_ms) or [0.0]
    complaints = cell.agent.complaints()[:5]
    if lives:
        cell.agent.stop()
    return {
        "lived": lives,
        "killed_for_memory": cell.group.kills(),
        "sent": outcome.records,
        "accepted": outcome.accepted,
        "errors": outcome.errors,
        "questions_unanswered": cell.unanswered,
        "own_max_mib": max(own for _, _, own in cell.seen) // _MIB,
        "own_slope_mib_per_minute": round(slope([(at, own / _MIB) for at, _, own in half]) * 60, 2),
        "cores_used": round((last_cpu - first_cpu) / max(1.0, last_at - first_at), 3),
        "acknowledged_p50_ms": round(ordered[len(ordered) // 2], 1),
        "acknowledged_p99_ms": round(ordered[len(ordered) * 99 // 100], 1),
        "complaints": complaints,
    }


if __name__ == "__main__":
    typer.run(restricted)
