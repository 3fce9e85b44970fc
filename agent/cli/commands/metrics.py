"""Metrics: the command ``metrics``, which lists names, data points, or plots of series."""

from __future__ import annotations

from typing import Annotated

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from rich.text import Text

from agent.cli import ask, options
from agent.cli.commands.listing import Listing
from agent.cli.commands.program import agent_at, commands, console, print_json, print_page
from agent.cli.curve import Grid
from agent.cli.groups import Paged, grouped
from agent.cli.names import metrics_table
from agent.cli.options import MetricKind, Output, TimeOrder
from agent.cli.plot import plots, plots_footer
from agent.cli.points import points_table
from agent.clock import MINUTE_NS, SECOND_NS, SystemClock
from agent.quantity import Duration

_POINTS = Listing[api.DataPoint](
    name="data points",
    call=lambda stub: stub.QueryMetrics,
    records=lambda page: page.data_points,
    time_of=lambda point: point.time,
    rows=lambda points: [points_table(points)],
)
_PLOTTED_NS = 5 * MINUTE_NS
_PLOTTED_STEPS = 60
_PLOTTED_SERIES = 10


@commands.command()
@grouped
def metrics(
    *,
    paged: Paged,
    metric: Annotated[str | None, typer.Option("--metric", "-m", help="Exact name; alone it is plotted.")] = None,
    kind: Annotated[MetricKind | None, typer.Option("--type", help="Only this type.")] = None,
    step: Annotated[
        Duration | None,
        typer.Option(metavar="10s", parser=options.duration, help="Plot series, a number for each stretch this long."),
    ] = None,
    points: Annotated[bool, typer.Option("--points", help="List data points, not plots or names.")] = False,
    order: Annotated[TimeOrder, typer.Option(help="Which data points come first.")] = TimeOrder.NEWEST,
) -> None:
    """List metrics by name, plot one (--metric), or list data points (--points, --attribute)."""
    if step is not None and (points or paged.page_token):
        raise typer.BadParameter("--step asks for series: leave out --points and --page-token")
    is_narrow = points or bool(paged.page_token or paged.attribute)
    if metric is None and step is None and not is_narrow:
        _list_names(paged, kind)
        return
    request = api.QueryMetricsRequest(
        metric_name=metric,
        type=None if kind is None else f"METRIC_TYPE_{kind.name}",
        order=f"ORDER_{order.name}",
        **paged.narrowing(),
    )
    is_plain = metric is None or points or paged.page_token or paged.output is Output.JSON
    if step is None and is_plain:
        _POINTS.show(request, paged)
    else:
        _plot(request, paged, step)


def _list_names(paged: Paged, kind: MetricKind | None) -> None:
    """The metrics that there are."""
    request = api.ListNamesRequest(service_name=paged.service, start_time=paged.begins(), end_time=paged.end)
    with agent_at(paged.agent()) as stub:
        answer = stub.ListNames(request, timeout=ask.TIMEOUT_SECONDS)
    found = [name for name in answer.metrics if kind is None or name.type == api.MetricType.Value(f"METRIC_TYPE_{kind.name}")]
    rows = found[paged.offset :][: paged.limit or None]
    if paged.output is Output.JSON:
        print_json(api.ListNamesResponse(metrics=rows, warnings=answer.warnings))
    elif rows:
        footer = Text(f"showing {len(rows):,} of {len(found):,} metrics; plot one: --metric NAME", "dim")
        print_page([metrics_table(rows)], footer, answer.warnings)
    else:
        print_page([], Text("no metrics match; what is kept: coral-agent info", "yellow"), answer.warnings)


def _plot(request: api.QueryMetricsRequest, paged: Paged, step: Duration | None) -> None:
    """Series, one plot each."""
    end_ns = request.end_time.ToNanoseconds() if request.HasField("end_time") else SystemClock().now_ns()
    if not request.HasField("start_time"):
        request.start_time.FromNanoseconds(max(0, end_ns - _PLOTTED_NS))
    start_ns = request.start_time.ToNanoseconds()
    grid = Grid(start_ns, max(end_ns, start_ns + 1), _whole(end_ns - start_ns) if step is None else max(step.ns, 1))
    request.step.FromNanoseconds(grid.step_ns if step is None else step.ns)
    if paged.limit is None:
        request.limit = _PLOTTED_SERIES
    with agent_at(paged.agent()) as stub:
        answer = stub.QueryMetrics(request, timeout=ask.TIMEOUT_SECONDS)
    if paged.output is Output.JSON:
        print_json(answer)
        return
    print_page(plots(answer, grid, console().width), plots_footer(answer, grid, paged.offset), answer.warnings)


def _whole(window_ns: int) -> int:
    """A step that cuts the window in sixty or fewer, in whole seconds when it is one or more, else in milliseconds."""
    least = max(1, -(-window_ns // _PLOTTED_STEPS))
    unit = SECOND_NS if least >= SECOND_NS else SECOND_NS // 1000
    return -(-least // unit) * unit
