"""Another commit's agent and this checkout's in turns: ``python -m bench.turns --before PATH``.

The same client sends the same to the one and the other on one core, seconds apart, and asks both the same in turns, each over
an hour that it was filled with itself. A shared machine changes its speed from one second to the next; what a pair says of both
holds all the same. ``PATH`` is another checkout: ``git worktree add PATH COMMIT``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from rich.console import Console
from rich.table import Table

from bench import phases, report
from bench.machine import REPOSITORY, about, cores, speed_ms, until_quiet
from bench.phases import Figures, Plan
from bench.queries import Question, percentile
from bench.target import Agent, Target

SIDES = ("before", "now")
SECONDS_OF_A_KIND = 60.0
"""The most that one kind of query may take."""

FILL_SPANS_PER_SECOND = 60_000.0
"""Taken for the length of a segment of the hour that is filled."""

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def turns(  # noqa: PLR0913 its parameters are the options
    *,
    before: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Another checkout.")],
    name: Annotated[str, typer.Option(help="In the name of the result.")] = "turns",
    rounds: Annotated[int, typer.Option(min=0, max=100, help="Of saturation, for each signal.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Of each.")] = 8.0,
    spans: Annotated[int, typer.Option(min=0, max=100_000_000, help="To query over; 0 leaves queries out.")] = 2_000_000,
    logs: Annotated[int, typer.Option(min=0, max=100_000_000, help="Log records, likewise.")] = 2_000_000,
    kill: Annotated[int, typer.Option(min=0, max=10_000_000, help="Spans in the segment that is killed; 0 leaves it out.")] = 0,
    runs: Annotated[int, typer.Option(min=1, max=10_000, help="Of each query, at most.")] = 100,
    steady_seconds: Annotated[float, typer.Option(min=0, max=600, help="At 10,000 a second; 0 leaves it out.")] = 20.0,
) -> None:
    """Measure, print one table, keep the JSON under bench/results/."""
    server, client = cores()
    plan = Plan("usual", 8, seconds, 1_000_000, spans, runs, 10_000.0, steady_seconds, server, client, killed=kill)
    plans = {"before": replace(plan, checkout=before.resolve()), "now": replace(plan, checkout=REPOSITORY)}
    figures: Figures = {"name": name, "about": {side: about(plans[side].checkout) for side in SIDES}}
    with tempfile.TemporaryDirectory(prefix="coral-bench-") as directory:
        room = Path(directory)
        if rounds:
            figures["saturated"] = {signal: _saturated(plans, signal, rounds, room) for signal in phases.WORDS}
        if kill:
            figures["killed"] = _of_both(lambda side: phases.killed(plans[side], room / f"killed-{side}"))
        if spans:
            figures |= _over_an_hour(plans, room)
        if logs:
            of_logs = {side: replace(plan, signal="logs", spans=logs, steady_seconds=0) for side, plan in plans.items()}
            figures["logs"] = _over_an_hour(of_logs, room)
    show(figures, Console(width=report.WIDTH))
    print(f"kept in {report.write(figures, name)}")


def _of_both(measure: Callable[[str], Any]) -> dict[str, Any]:
    return {side: measure(side) for side in SIDES}


def _saturated(plans: dict[str, Plan], signal: str, rounds: int, room: Path) -> list[dict[str, Figures]]:
    """Rounds of saturation with one signal; who begins alternates."""
    found: list[dict[str, Figures]] = []
    for number in range(rounds):
        of: dict[str, Figures] = {}
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            speed = speed_ms(plans[side].server_core)
            figures = phases.ingest(replace(plans[side], signal=signal), room / f"{signal}-{number}-{side}")
            of[side] = {"fixed_work_ms": speed} | figures
        found.append(of)
    return found


def _over_an_hour(plans: dict[str, Plan], room: Path) -> Figures:
    """What each is filled with, queries over it in turns; then, if planned, a steady rate for each and queries during it."""
    rooms = {side: room / f"hour-{plan.signal}-{side}" for side, plan in plans.items()}
    filled = _of_both(lambda side: phases.fill(plans[side], rooms[side], FILL_SPANS_PER_SECOND))
    kinds = {side: phases.kinds_of(plans[side], *of[1:]) for side, of in filled.items()}
    figures: Figures = {"filled": {side: of[0] for side, of in filled.items()}}
    with ExitStack() as stack:
        agents: dict[str, Target] = {}
        for side, plan in plans.items():
            agent = Agent(rooms[side], plan.server_core, plan.settings, plan.checkout)
            stack.callback(agent.kill)
            agents[side] = agent.target
        figures["queries"] = asked(agents, kinds, plans["now"].runs)
        if plans["now"].steady_seconds:
            figures["steady"] = _of_both(lambda side: phases.steady(plans[side], agents[side]))
            idle = {side: {kind: of[side] for kind, of in figures["queries"].items()} for side in SIDES}
            figures["busy"] = _of_both(lambda side: phases.ask_while_busy(plans[side], agents[side], kinds[side], idle[side]))
    return figures


def asked(targets: dict[str, Target], kinds: dict[str, list[Question]], runs: int) -> dict[str, Figures]:
    """Latencies of each kind of query in milliseconds, asked of both sides in turns, and how much longer the second took.

    Raises:
        RuntimeError: an answer lacks what it must have.
    """
    found: dict[str, Figures] = {}
    with ExitStack() as stack:
        stubs = {}
        for side, target in targets.items():
            until_quiet(target.pid, 20)
            options = [("grpc.max_receive_message_length", -1)]
            channel = stack.enter_context(grpc.insecure_channel(target.query or "", options=options))
            stubs[side] = api_grpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call]  # generated
        for of_kind in zip(*(kinds[side] for side in SIDES), strict=True):
            latencies: dict[str, list[float]] = {side: [] for side in SIDES}
            until = time.monotonic() + SECONDS_OF_A_KIND
            while len(latencies["now"]) < runs and (not latencies["now"] or time.monotonic() < until):
                for side, kind in zip(SIDES, of_kind, strict=True):
                    latencies[side].append(_latency_ms(kind, stubs[side]))
            found[of_kind[0].name] = _compared(latencies)
    return found


def _latency_ms(kind: Question, stub: Any) -> float:  # noqa: ANN401 the generated stub has no types
    began = time.perf_counter()
    answer = kind.ask(stub)
    latency = (time.perf_counter() - began) * 1000
    if not kind.done(answer):
        raise RuntimeError(f"{kind.name}: the answer is not what was sent: {str(answer)[:500]}")
    return latency


def _compared(latencies: dict[str, list[float]]) -> Figures:
    pairs = zip(*(latencies[side] for side in SIDES), strict=True)
    return {"runs": len(latencies["now"]), "now_over_before": round(statistics.median(b / a for a, b in pairs), 3)} | {
        side: {f"p{share * 100:.0f}_ms": round(percentile(latencies[side], share), 2) for share in (0.5, 0.95)}
        for side in SIDES
    }


Row = tuple[str, float | str, float | str, float | str]


def show(figures: Figures, console: Console) -> None:
    """Both sides of every row, and now over before."""
    commits = (f"{side} ({figures['about'][side]['commit'][:10]})" for side in SIDES)
    table = Table("in turns", *commits, "now / before")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in _rows(figures):
        table.add_row(row[0], *(cell if isinstance(cell, str) else f"{cell:,}" for cell in row[1:]))
    console.print(table)


def _rows(figures: Figures) -> list[Row]:
    rows: list[Row] = []
    for signal, rounds in figures.get("saturated", {}).items():
        word = phases.WORDS[signal].replace("_", " ")
        rows += [
            _of_rounds(f"{word} per CPU-second", rounds, "spans_per_cpu_second"),
            _of_rounds("… bytes on disk of each", rounds, "bytes_per_span_on_disk"),
            _of_rounds("… memory meanwhile, at most (MiB)", rounds, "rss_peak_mib"),
            _of_rounds("… fixed work before (ms)", rounds, "fixed_work_ms"),
        ]
    if "killed" in figures:
        found = figures["killed"]
        rows.append(_of_one("start after kill -9 (s)", found, "start_seconds"))
        rows += _of_queries({side: found[side]["queries"] for side in SIDES}, "{}, of them")
    for of in (figures, figures.get("logs", {})):
        for kind, both in of.get("queries", {}).items():
            rows.append((f"{kind}: p50 / p95 (ms)", *(_shown(both[side]) for side in SIDES), both["now_over_before"]))
    if "steady" in figures:
        for label, key in (("p50", "ack_p50_ms"), ("p99", "ack_p99_ms")):
            rows.append(_of_one(f"acknowledgement at 10,000 spans a second, {label} (ms)", figures["steady"], key))
        rows.append(_of_one("… cores used", figures["steady"], "cores_used"))
        rows.append(_of_one("… memory, at most (MiB)", figures["steady"], "rss_max_mib"))
        busy = figures["busy"]
        rows += _of_queries({side: busy[side]["queries"] for side in SIDES}, "… {}")
        rows += _of_queries({side: busy[side]["after"] for side in SIDES}, "at rest behind it: {}")
    return rows


def _of_queries(found: dict[str, Figures], label: str) -> list[Row]:
    rows: list[Row] = []
    for kind in found["now"]:
        before, now = (found[side][kind] for side in SIDES)
        ratio = round(now["p50_ms"] / before["p50_ms"], 2)
        rows.append((f"{label.format(kind)}: p50 / p95 (ms)", _shown(before), _shown(now), ratio))
    return rows


def _shown(latency: Figures) -> str:
    return f"{latency['p50_ms']} / {latency['p95_ms']}"


def _of_rounds(label: str, rounds: list[dict[str, Figures]], key: str) -> Row:
    before, now = (round(statistics.median(of[side][key] for of in rounds), 1) for side in SIDES)
    return label, before, now, round(statistics.median(of["now"][key] / of["before"][key] for of in rounds), 2)


def _of_one(label: str, found: dict[str, Figures], key: str) -> Row:
    before, now = (found[side][key] for side in SIDES)
    return label, before, now, round(now / before, 2) if before else "-"


if __name__ == "__main__":
    app()
