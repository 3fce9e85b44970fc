"""Traces: the commands ``spans`` and ``trace``."""

from __future__ import annotations

from typing import Annotated

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from rich.console import RenderableType
from rich.text import Text

from agent.cli import ask, options
from agent.cli.commands.listing import Listing
from agent.cli.commands.program import agent_at, commands, print_json, print_page
from agent.cli.groups import Asking, Paged, grouped
from agent.cli.options import FollowOption, Kind, Order, Output
from agent.cli.spans import spans_table
from agent.cli.trace import trace_heading, trace_table

_SPANS = Listing[api.Span](
    name="spans",
    call=lambda stub: stub.QuerySpans,
    records=lambda page: page.spans,
    time_of=lambda span: span.start_time,
    rows=lambda spans: [spans_table(spans)],
)


@commands.command()
@grouped
def spans(  # noqa: PLR0913 every filter of the request is an option
    *,
    paged: Paged,
    trace_id: Annotated[str | None, typer.Option(help="32 hexadecimal digits.")] = None,
    operation: Annotated[str | None, typer.Option(help="Exact span name.")] = None,
    min_duration: Annotated[
        int | None, typer.Option(metavar="250ms", parser=options.whole_ms, help="This long or longer.")
    ] = None,
    max_duration: Annotated[
        int | None, typer.Option(metavar="1s", parser=options.whole_ms, help="This long or shorter.")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only spans that failed.")] = False,
    kind: Annotated[Kind | None, typer.Option(help="Only this kind.")] = None,
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.NEWEST,
    follow: FollowOption = False,
) -> None:
    """List spans."""
    request = api.QuerySpansRequest(
        trace_id=trace_id,
        operation_name=operation,
        min_duration_ms=min_duration,
        max_duration_ms=max_duration,
        errors_only=errors or None,
        kind=None if kind is None else f"SPAN_KIND_{kind.name}",
        order=f"ORDER_{order.name}",
        **paged.narrowing(),
    )
    if follow:
        _SPANS.follow(request, paged, lambda batch, is_first: [spans_table(batch, is_steady=True, has_header=is_first)])
    else:
        _SPANS.show(request, paged)


@commands.command()
@grouped
def trace(trace_id: Annotated[str, typer.Argument(metavar="ID", help="32 hexadecimal digits.")], *, asking: Asking) -> None:
    """Show one trace as a tree in time."""
    with agent_at(asking.agent()) as stub:
        answer = ask.whole_trace(stub, trace_id)
    if asking.output is Output.JSON:
        print_json(answer)
        return
    absent = Text("this agent keeps no span of this trace; other agents may, and an hour is all that is kept", "yellow")
    more = Text(f"the trace has more than these {len(answer.spans):,} spans", "yellow") if answer.has_more else None
    tree: list[RenderableType] = [trace_heading(answer.spans), trace_table(answer.spans)] if answer.spans else [absent]
    print_page(tree, more, answer.warnings)
