"""The whole house under load: ``python -m bench.house``.

An agent of this checkout, pinned to one core, a client on the other. Saturated: spans per CPU-second with everything that the
load causes until the process is quiet, acknowledgements, memory, bytes on disk. Then an hour of spans in twelve segments, and
queries over it; then a steady rate; then the same queries at that rate. With ``--peer`` the agent and any other OTLP server are
saturated in turns by the same client, and nothing else. Everything is on loopback, bounded, and only processes that this one
started are ended.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import phases, report
from bench.connections import HTTP
from bench.machine import REPOSITORY, about, cores, use_of
from bench.peer import Peer, in_turns, show_rounds
from bench.queries import Question
from bench.shapes import SHAPES
from bench.target import Agent

NO_BOUND = 1_000_000
USUAL_SPANS_PER_SECOND = 120_000.0
"""Taken for the length of a segment when nothing was measured before."""

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def house(  # noqa: PLR0913 its parameters are the options
    *,
    name: Annotated[str, typer.Option(help="In the name of the result.")] = "house",
    shape: Annotated[str, typer.Option(help="usual or adversarial.")] = "usual",
    signal: Annotated[str, typer.Option(help="traces, logs or metrics; the steady rate is of traces only.")] = "traces",
    stage: Annotated[str, typer.Option(help="scrub.stage of the agent: query or ingest.")] = "query",
    connections: Annotated[int, typer.Option(min=1, max=256)] = 8,
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="Of saturation; 0 leaves it out.")] = 15.0,
    requests: Annotated[int, typer.Option(min=1, max=NO_BOUND, help="Of saturation, if that ends sooner.")] = NO_BOUND,
    spans: Annotated[int, typer.Option(min=0, max=100_000_000, help="To query over; 0 leaves queries out.")] = 2_000_000,
    runs: Annotated[int, typer.Option(min=1, max=10_000, help="Of each query.")] = 30,
    rate: Annotated[float, typer.Option(min=1, max=10_000_000, help="Spans a second of the steady part.")] = 10_000.0,
    steady_seconds: Annotated[float, typer.Option(min=0, max=86_400, help="0 leaves it out.")] = 20.0,
    kill: Annotated[int, typer.Option(min=0, max=10_000_000, help="Spans in the segment that is killed; 0 leaves it out.")] = 0,
    checkout: Annotated[
        Path, typer.Option(help="Whose agent is measured: of another commit, by the same client.")
    ] = REPOSITORY,
    peer: Annotated[
        str,
        typer.Option(
            metavar="ENDPOINT", help="Another OTLP server, HOST:PORT or http://HOST:PORT/path, in turns; needs --pid."
        ),
    ] = "",
    pid: Annotated[int, typer.Option(min=0, help="The peer's process: its CPU and memory count, its core is the agent's.")] = 0,
    peer_data: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Where the peer keeps its files.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Of --seconds each for the agent and for the peer.")] = 3,
    workdir: Annotated[Path | None, typer.Option(help="Where data directories are made; the system's default.")] = None,
) -> None:
    """Measure, print one table, keep the JSON under bench/results/."""
    if shape not in SHAPES:
        raise typer.BadParameter(f"write one of {', '.join(SHAPES)}", param_hint="--shape")
    if signal not in phases.WORDS:
        raise typer.BadParameter(f"write one of {', '.join(phases.WORDS)}", param_hint="--signal")
    if stage not in {"query", "ingest"}:
        raise typer.BadParameter("write query or ingest", param_hint="--stage")
    if bool(peer) != bool(pid) or (peer and not seconds):
        raise typer.BadParameter("a peer needs all three", param_hint="--peer, --pid, --seconds")
    if "://" in peer and not peer.startswith(HTTP):
        raise typer.BadParameter(f"write HOST:PORT or {HTTP}HOST:PORT/path", param_hint="--peer")
    server, client = cores()
    plan = phases.Plan(
        shape=shape,
        connections=connections,
        seconds=seconds,
        requests=requests,
        spans=0 if peer or signal == "metrics" else spans,
        runs=runs,
        rate=rate,
        steady_seconds=steady_seconds if signal == "traces" and not peer else 0,
        server_core=server,
        client_core=client,
        signal=signal,
        killed=kill if signal == "traces" and not peer else 0,
        checkout=checkout.resolve(),
        stage=stage,
    )
    figures: dict[str, Any] = {
        "name": name,
        "about": about(plan.checkout),
        "plan": {name: value for name, value in asdict(plan).items() if name != "checkout"},
    }
    console = Console(width=report.WIDTH)
    with tempfile.TemporaryDirectory(prefix="coral-bench-", dir=workdir) as directory:
        if peer:
            figures |= in_turns(plan, Peer(pid, peer, peer_data), rounds, Path(directory, "agent"))
        else:
            figures |= _agent(plan, Path(directory))
    report.head(figures, console)
    (show_rounds if peer else report.show)(figures, console)
    print(f"kept in {report.write(figures, name)}")


def _agent(plan: phases.Plan, directory: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if plan.seconds:
        figures["saturated"] = phases.ingest(plan, directory / "saturated")
    if plan.killed:
        figures["killed"] = phases.killed(plan, directory / "killed")
    hour = directory / "hour"
    kinds: list[Question] = []
    if plan.spans:
        speed = figures["saturated"]["spans_per_second"] if plan.seconds else USUAL_SPANS_PER_SECOND
        figures["filled"], trace_ids, end_ns = phases.fill(plan, hour, speed)
        kinds = phases.kinds_of(plan, trace_ids, end_ns)
    if plan.spans or plan.steady_seconds:
        agent = Agent(hour, plan.server_core, plan.settings, plan.checkout)
        try:
            figures["restarted"] = {"start_seconds": round(agent.start_seconds, 2), "rss_mib": _rss_mib(agent)}
            figures |= _with_an_hour(plan, agent, kinds)
            agent.stop()
            figures["restarted"]["complaints"] = agent.complaints()[:20]
        finally:
            agent.kill()
    return figures


def _with_an_hour(plan: phases.Plan, agent: Agent, kinds: list[Question]) -> dict[str, Any]:
    """Queries, the steady rate, and both, over what was filled."""
    figures: dict[str, Any] = {}
    if kinds:
        figures["restarted"] = {"start_seconds": round(agent.start_seconds, 2), "rss_mib": _rss_mib(agent)}
        figures["queries"] = phases.ask(agent.target, kinds, plan.runs)
        figures["restarted"]["rss_after_queries_mib"] = _rss_mib(agent)
    if plan.steady_seconds:
        figures["steady"] = phases.steady(plan, agent.target)
        if kinds:
            figures["busy"] = phases.ask_while_busy(plan, agent.target, kinds, figures["queries"])
    return figures


def _rss_mib(agent: Agent) -> int:
    return use_of(agent.target.pid).rss >> 20


if __name__ == "__main__":
    app()
