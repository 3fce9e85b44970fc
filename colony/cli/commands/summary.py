"""The command ``summary``: rates, errors and percentiles of a service, pulled from agents at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from colony.cli.commands.program import ConfigOption, LastOption, Output, OutputOption, asked, commands, print_json, print_page
from colony.cli.rows import kind_text
from colony.cli.text import cell, duration_text, safe
from colony.quantity import Duration
from colony.summaries.told import Figures, SummaryAnswer

if TYPE_CHECKING:
    from colony.app import Rooms


@commands.command()
def summary(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Exact name.")],
    *,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    last: LastOption = Duration.of("15m"),  # noqa: B008 a constant
    operation: Annotated[str | None, typer.Option(help="Exact span name.")] = None,
) -> None:
    """Show rates, errors and P50/P95/P99 of a service, as far back as agents keep it."""

    async def pulled(rooms: Rooms) -> SummaryAnswer:
        await rooms.summaries.puller.pull(last.ns)
        return await rooms.desk.summary(service, last.ns, operation)

    answer = asked(config, pulled)
    if output is Output.JSON:
        print_json(summary_json(answer))
    else:
        print_page(summary_page(answer))


def summary_json(answer: SummaryAnswer) -> dict[str, Any]:
    """A summary for programs."""
    return dataclasses.asdict(answer)


def summary_page(answer: SummaryAnswer) -> list[RenderableType]:
    """The service in one line, its operations in a table, and what is missing."""
    what = "requests" if answer.total_is_requests else "spans"
    minutes = (answer.end_ns - answer.start_ns) // 60_000_000_000
    lines: list[RenderableType] = [
        Text.assemble(
            (safe(answer.service), "bold cyan"), f"  {minutes} minutes, {what}: ", Text("  ").join(_labelled(answer.total))
        )
    ]
    if answer.operations:
        lines.append(_operations(answer))
    else:
        lines.append(Text("no spans of this service; what there is: coral-colony agents", "yellow"))
    lines.append(Text(f"percentiles are from merged sketches, within {answer.relative_error:.0%} of the true value", "dim"))
    return [*lines, *(Text(safe(f"missing: {gap}"), "yellow") for gap in answer.gaps)]


def _operations(answer: SummaryAnswer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("OPERATION", "KIND", "COUNT", "RATE", "ERRORS", "P50", "P95", "P99", "TRACE"):
        is_left = column in ("OPERATION", "KIND", "TRACE")
        table.add_column(column, justify="left" if is_left else "right", no_wrap=column != "OPERATION")
    for one in answer.operations:
        name = cell("(other operations)", "dim") if one.is_rest else cell(one.operation)
        trace = one.failed_trace_ids or one.slowest_trace_ids
        table.add_row(name, kind_text(one.kind), *_figures(one.figures), cell(trace[0] if trace else "-", "dim"))
    return table


def _labelled(figures: Figures) -> list[Text]:
    labels = ("", "", "errors ", "P50 ", "P95 ", "P99 ")
    return [Text.assemble((label, "dim"), text) for label, text in zip(labels, _figures(figures), strict=True)]


def _figures(figures: Figures) -> list[Text]:
    times = (figures.p50_ns, figures.p95_ns, figures.p99_ns)
    return [
        Text(f"{figures.count:,}"),
        Text(f"{figures.per_second:.2f}/s"),
        Text(f"{figures.errors:,} ({figures.error_share:.1%})", "red" if figures.errors else "dim"),
        *(Text("-" if time is None else duration_text(round(time / 1000))) for time in times),
    ]
