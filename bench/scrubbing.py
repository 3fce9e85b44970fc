"""What scrubbing costs: ``python -m bench.scrubbing``.

Pages that leave, batches before storage, statements, hostile texts, and a whole agent under load at either stage.
CPU time of this thread, the best of several rounds over other telemetry each: values are as distinct as the shapes make them,
and what one round remembers is what an agent would remember by then. The JSON goes to bench/results/.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from agent.batch import Signal
from agent.query.rows import Rows, origins_of
from agent.query.spans import SPANS
from agent.scrub.batches import scrubbed
from agent.scrub.rules import Mode, OwnRule, ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.scrub.sql import scrub_sql
from agent.scrub.text import ValueRules
from bench import report
from bench.decoding import decode, groups
from bench.load import Order
from bench.machine import about, cores
from bench.phases import saturate
from bench.shapes import SHAPES
from bench.target import Agent
from tests.agent.scrub.hostile import HOSTILE

PAGE = 1000
ROUNDS = 12
GOALS = {
    "page of 1,000 spans, usual (ms)": 10,
    "traces before storage, usual (us a record)": 10,
    "hostile, the worst (ms/MB)": 50,
    "whole agent, stage ingest (spans per CPU-second)": 40_000,
}
"""At most, but for the last, which is at least."""
OWN = (
    OwnRule("order", Mode.PARTIAL, "ORD-[0-9]{6,}"),
    OwnRule("tenant", Mode.HMAC, None, ("app.tenant",)),
    OwnRule("address", Mode.TRUNCATE_IP, r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"),
)


def scrubber(settings: ScrubSettings | None = None) -> Scrubber:
    return Scrubber(settings or ScrubSettings(), b"k" * 32)


def best_ms(work: Callable[[Any], Any], inputs: Iterator[Any], rounds: int = ROUNDS) -> float:
    """CPU milliseconds of the best round."""
    found = []
    for _, given in zip(range(rounds), inputs, strict=False):
        began = time.thread_time()
        work(given)
        found.append((time.thread_time() - began) * 1000)
    return min(found)


def pages(shape: str) -> Iterator[Rows]:
    """Pages of spans as they come from the store."""
    for group in groups(shape, 5, 4):
        batch = decode(group).batch
        assert batch is not None
        origins = origins_of(batch.origins.to_pylist())
        rows = batch.rows.slice(0, PAGE).to_pylist()
        assert {len(row["attributes"]) for row in rows} == {12}
        yield Rows.of([row | {"origin": origins[row["origin"]]} for row in rows], batch.rows.schema.names)


def statements() -> Iterator[list[str]]:
    """A thousand statements with literals, no two alike."""
    dice = random.Random(3)
    while True:
        yield [
            f"SELECT id, state, total FROM orders WHERE account_id = {dice.randrange(10**9)} "
            f"AND state = 's{dice.randrange(10**6)}' AND total > {dice.random():.4f} ORDER BY updated_at DESC LIMIT 50"
            for _ in range(1000)
        ]


def _pages(figures: dict[str, float]) -> None:
    for shape in SHAPES:
        room = scrubber()
        figures[f"page of 1,000 spans, {shape} (ms)"] = best_ms(lambda rows: SPANS.scrubbed(rows, room), pages(shape))  # noqa: B023 used at once
    for name, settings in (("three own rules", ScrubSettings(rules=OWN)), ("strict", ScrubSettings("strict"))):
        room = scrubber(settings)
        figures[f"page of 1,000 spans, usual, {name} (ms)"] = best_ms(lambda rows: SPANS.scrubbed(rows, room), pages("usual"))  # noqa: B023 used at once


def _batches(figures: dict[str, float]) -> None:
    for signal in Signal:
        for shape in SHAPES:
            room = scrubber()
            batches = (decode(group).batch for group in groups(shape, 7, 20, signal))
            ms = best_ms(lambda batch: scrubbed(batch, room), batches, 6)  # noqa: B023 used at once
            figures[f"{signal.value} before storage, {shape} (us a record)"] = ms * 1000 / (20 * 512)


def measured() -> dict[str, float]:
    """Every figure, by what it says."""
    figures: dict[str, float] = {}
    _pages(figures)
    _batches(figures)
    figures["a statement with literals (us)"] = best_ms(lambda given: [scrub_sql(text) for text in given], statements(), 5)
    hostile = {name: best_ms(lambda t: ValueRules().scrubbed(t, []), iter([text] * 3)) for name, text in HOSTILE.items()}
    figures["hostile, the worst (ms/MB)"] = max(hostile.values())
    return figures | {f"hostile: {name} (ms/MB)": ms for name, ms in sorted(hostile.items(), key=lambda one: -one[1])}


def whole(stage: str, seconds: float) -> float:
    """Spans per CPU-second of an agent that scrubs at this stage, everything that the load causes included."""
    server, client = cores()
    with tempfile.TemporaryDirectory(prefix="coral-bench-") as directory:
        agent = Agent(Path(directory) / "store", server, {"SCRUB__STAGE": stage})
        try:
            order = Order(agent.target.otlp_grpc, "usual", connections=8, seconds=seconds)
            return float(saturate(agent.target.pid, order, client)["spans_per_cpu_second"])
        finally:
            agent.stop()


def scrubbing(
    name: Annotated[str, typer.Option(help="In the name of the result.")] = "scrub",
    seconds: Annotated[float, typer.Option(help="Of load on a whole agent at each stage; 0 leaves it out.")] = 8.0,
) -> None:
    """Measure, print a table, keep the JSON."""
    machine = about()
    found = measured()
    if seconds:
        found |= {f"whole agent, stage {stage} (spans per CPU-second)": whole(stage, seconds) for stage in ("query", "ingest")}
    figures = {what: round(value, 2) for what, value in found.items()}
    table = Table("", "measured", "must")
    for what, value in figures.items():
        if what.startswith("hostile: "):
            continue  # the JSON has them all
        goal = GOALS.get(what)
        table.add_row(what, f"{value:,}", "" if goal is None else f"{goal:,}")
    Console(width=report.WIDTH).print(table)
    print(f"kept in {report.write({'name': name, 'about': machine, 'figures': figures}, name)}")


if __name__ == "__main__":
    typer.run(scrubbing)
