"""An agent and a peer in turns: the same client sends the same load to the one and the other on one core, round after round.

A shared machine changes its speed from one second to the next; what a round says of both holds all the same.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.load import Order
from bench.machine import bytes_of, held, name_of, speed_ms, use_of
from bench.phases import WORDS, Figures, Plan, saturate
from bench.target import Agent

QUIET_SECONDS = 12.0
"""Of either after its load: some write what they hold in memory up to ten seconds later."""

SIDES = ("agent", "peer")
RATE = "spans_per_cpu_second"
_FIRST_SEED = 100


@dataclass(frozen=True, slots=True)
class Peer:
    """Any OTLP server on this machine; ``endpoint`` is as in ``bench.connections``, ``directory`` where it keeps its files."""

    pid: int
    endpoint: str
    directory: Path | None = None


def in_turns(plan: Plan, peer: Peer, rounds: int, directory: Path, quiet_seconds: float = QUIET_SECONDS) -> Figures:
    """Rounds of ``plan.seconds`` for each side; who begins alternates. Then the agent seals, which counts for it.

    Raises:
        RuntimeError: one of them accepted nothing, or the agent did not count what it acknowledged.
    """
    agent = Agent(directory, plan.server_core, plan.settings, plan.checkout)
    sides = {"agent": Peer(agent.target.pid, agent.target.otlp_grpc, directory), "peer": peer}
    try:
        with held(peer.pid, plan.server_core):
            found = [_round(plan, sides, number, quiet_seconds) for number in range(rounds)]
        totals: Figures = {side: _total([of[side] for of in found]) for side in SIDES}
        counted, before_stop = agent.accepted(WORDS[plan.signal]), use_of(agent.target.pid).cpu_seconds
        if counted != totals["agent"]["spans_accepted"] and not any(of["agent"]["errors"] for of in found):
            raise RuntimeError(f"{totals['agent']['spans_accepted']} were acknowledged, the agent counted {counted}")
        sealing = agent.stop().cpu_seconds - before_stop
    finally:
        agent.kill()
    totals["agent"] |= {
        "cpu_seconds_of_stop_and_seal": round(sealing, 2),
        "bytes_per_span_on_disk": round(bytes_of(directory, "*_*_*") / counted, 1),
    }
    shown = {"endpoint": peer.endpoint, "process": name_of(peer.pid)}
    return {"peer": shown, "rounds": found, "totals": totals} | _ratios(found, totals, sealing)


def _round(plan: Plan, sides: dict[str, Peer], number: int, quiet_seconds: float) -> Figures:
    figures: Figures = {}
    for name in SIDES if number % 2 == 0 else reversed(SIDES):
        side = sides[name]
        before = 0 if side.directory is None else bytes_of(side.directory, "**/*")
        speed = speed_ms(plan.server_core)
        order = Order(
            side.endpoint,
            shape=plan.shape,
            signal=plan.signal,
            seed=_FIRST_SEED + number,
            connections=plan.connections,
            seconds=plan.seconds,
            requests=plan.requests,
        )
        found = {"fixed_work_ms": speed} | saturate(side.pid, order, plan.client_core, quiet_seconds)
        if side.directory is not None:
            grown = bytes_of(side.directory, "**/*") - before
            found["bytes_per_span_on_disk"] = round(grown / found["spans_accepted"], 1)
        figures[name] = found
    return figures


def _total(rounds: list[Figures]) -> Figures:
    accepted, cpu = (sum(of[key] for of in rounds) for key in ("spans_accepted", "cpu_seconds"))
    total = {"spans_accepted": accepted, "cpu_seconds": round(cpu, 2), RATE: round(accepted / cpu)}
    total["rss_peak_mib"] = rounds[-1]["rss_peak_mib"]
    if "bytes_per_span_on_disk" in rounds[0]:
        on_disk = sum(of["bytes_per_span_on_disk"] * of["spans_accepted"] for of in rounds)
        total["bytes_per_span_on_disk"] = round(on_disk / accepted, 1)
    return total


def _ratios(rounds: list[Figures], totals: Figures, sealing: float) -> Figures:
    """Agent over peer, by round and of all; each round of the agent bears its share of the sealing."""
    share = sealing / totals["agent"]["spans_accepted"]
    for of in [*rounds, totals]:
        agent, peer = of["agent"], of["peer"]
        agent[f"{RATE}_with_sealing"] = round(1 / (1 / agent[RATE] + share))
        of["ratio"] = round(agent[f"{RATE}_with_sealing"] / peer[RATE], 2)
    return {"ratio_median": round(statistics.median(of["ratio"] for of in rounds), 2)}


def show_rounds(figures: Figures, console: Console) -> None:
    """A column for each round."""
    rounds, totals = figures["rounds"], figures["totals"]
    table = Table("agent and peer in turns", *(f"round {number + 1}" for number in range(len(rounds))), "median", "all")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [
        ("records per CPU-second, sealing counted", "agent", f"{RATE}_with_sealing"),
        ("records per CPU-second", "peer", RATE),
        ("RSS so far, highest (MiB)", "agent", "rss_peak_mib"),
        ("RSS so far, highest (MiB)", "peer", "rss_peak_mib"),
        ("bytes per record on disk (all: sealed)", "agent", "bytes_per_span_on_disk"),
        ("bytes per record on disk", "peer", "bytes_per_span_on_disk"),
        ("fixed work before (ms)", "agent", "fixed_work_ms"),
        ("fixed work before (ms)", "peer", "fixed_work_ms"),
    ]
    for label, side, key in rows:
        values: list[Any] = [of[side][key] for of in rounds if key in of[side]]
        if values:
            cells = [*values, round(statistics.median(values), 1), totals[side].get(key, "")]
            table.add_row(f"{side}: {label}", *(cell if isinstance(cell, str) else f"{cell:,}" for cell in cells))
    ratios = (str(of["ratio"]) for of in rounds)
    table.add_row("[bold]agent over peer[/]", *ratios, f"[bold]{figures['ratio_median']}[/]", str(totals["ratio"]))
    console.print(table)
