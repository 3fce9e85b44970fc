"""Log records: the command ``logs``."""

from __future__ import annotations

from typing import Annotated

import typer
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli import options
from agent.cli.commands.listing import Listing
from agent.cli.commands.program import commands
from agent.cli.groups import Paged, grouped
from agent.cli.logs import log_lines, log_time
from agent.cli.options import FollowOption, TimeOrder

_LOGS = Listing[api.LogRecord](
    name="log records",
    call=lambda stub: stub.QueryLogs,
    records=lambda page: page.log_records,
    time_of=log_time,
    rows=log_lines,
)


@commands.command()
@grouped
def logs(  # noqa: PLR0913 every filter of the request is an option
    *,
    paged: Paged,
    trace_id: Annotated[str | None, typer.Option(help="32 hexadecimal digits.")] = None,
    span_id: Annotated[str | None, typer.Option(help="16 hexadecimal digits.")] = None,
    level: Annotated[
        int | None,
        typer.Option(metavar="LEVEL", parser=options.level, help="This severe or more: trace … fatal, or 1 to 24."),
    ] = None,
    text: Annotated[str, typer.Option("--text", "-t", help="Somewhere in the body, whatever the case.")] = "",
    order: Annotated[TimeOrder, typer.Option(help="Which come first.")] = TimeOrder.NEWEST,
    follow: FollowOption = False,
) -> None:
    """List log records."""
    request = api.QueryLogsRequest(
        trace_id=trace_id,
        span_id=span_id,
        min_severity=level or 0,
        text=text,
        order=f"ORDER_{order.name}",
        **paged.narrowing(),
    )
    if follow:
        _LOGS.follow(request, paged, lambda batch, _: log_lines(batch))
    else:
        _LOGS.show(request, paged)
