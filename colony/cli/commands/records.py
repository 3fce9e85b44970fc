"""Rows of many agents: the commands ``spans`` and ``logs``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from rich.console import RenderableType
from rich.text import Text

from colony.cli.commands.program import (
    ConfigOption,
    LastOption,
    Output,
    OutputOption,
    ServiceOption,
    TimeoutOption,
    as_dict,
    asked,
    commands,
    duration,
    print_json,
    print_page,
)
from colony.cli.commands.summary import summary_json, summary_page
from colony.cli.outcomes import footer, outcomes_json
from colony.cli.rows import log_lines, spans_table
from colony.errors import InvalidQuestion
from colony.quantity import Duration
from colony.question import Question
from colony.signals import LOGS, SPANS, Request, Signal

if TYPE_CHECKING:
    from colony.desk import Reply

_LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}


class Order(enum.StrEnum):
    """Which spans come first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SLOWEST = "slowest"


def attribute(text: str) -> api.AttributeFilter:
    """``key=value``; the value is all behind the first equals sign."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter("write key=value, like http.response.status_code=500")
    return api.AttributeFilter(key=key, value=value)


def level(given: str | int) -> int:
    """A least severity, by OTLP's words; typer sends the default through here too."""
    if isinstance(given, int):
        return given
    if given.lower() not in _LEVELS:
        raise typer.BadParameter(f"write {', '.join(_LEVELS)}")
    return _LEVELS[given.lower()]


AttributeOption = Annotated[
    list[api.AttributeFilter] | None,
    typer.Option("--attribute", "-a", metavar="KEY=VALUE", parser=attribute, help="All given must match."),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Rows.")]
CursorOption = Annotated[str, typer.Option("--cursor", help="Go on where a page ended; repeat the filters.")]
TraceOption = Annotated[str | None, typer.Option("--trace-id", help="32 hexadecimal digits.")]
_FIVE_MINUTES = Duration.of("5m")
_TEN_SECONDS = Duration.of("10s")


@commands.command()
def spans(  # noqa: PLR0913 every filter is an option
    *,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    service: ServiceOption = "",
    last: LastOption = _FIVE_MINUTES,
    trace_id: TraceOption = None,
    operation: Annotated[str | None, typer.Option(help="Exact span name.")] = None,
    min_duration: Annotated[
        Duration | None, typer.Option(metavar="250ms", parser=duration, help="This long or longer.")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only spans that failed.")] = False,
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.NEWEST,
    attributes: AttributeOption = None,
    limit: LimitOption = 100,
    cursor: CursorOption = "",
    timeout: TimeoutOption = _TEN_SECONDS,
) -> None:
    """List spans of every agent that has the service."""
    request = api.QuerySpansRequest(
        service_name=service,
        trace_id=trace_id,
        operation_name=operation,
        min_duration_ms=None if min_duration is None else min_duration.ns // 1_000_000,
        errors_only=errors or None,
        order=f"ORDER_{order.name}",
        attributes=attributes,
    )
    question = _question(SPANS, request, last, limit, cursor)
    _show(config, question, timeout, "spans", output)


@commands.command()
def logs(  # noqa: PLR0913 every filter is an option
    *,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    service: ServiceOption = "",
    last: LastOption = _FIVE_MINUTES,
    trace_id: TraceOption = None,
    min_level: Annotated[int, typer.Option("--level", metavar="error", parser=level, help="This severe or more.")] = 0,
    text: Annotated[str, typer.Option(help="Somewhere in the body, whatever the case.")] = "",
    attributes: AttributeOption = None,
    limit: LimitOption = 100,
    cursor: CursorOption = "",
    timeout: TimeoutOption = _TEN_SECONDS,
) -> None:
    """List log records of every agent that has the service."""
    request = api.QueryLogsRequest(
        service_name=service, trace_id=trace_id, min_severity=min_level, text=text, attributes=attributes
    )
    _show(config, _question(LOGS, request, last, limit, cursor), timeout, "log records", output)


def _question(signal: Signal, request: Request, last: Duration, limit: int, cursor: str) -> Question:
    """The question that was typed; with a trace id, all that is kept of it."""
    is_of_a_trace = bool(getattr(request, "trace_id", ""))
    try:
        return Question(signal, request, None if is_of_a_trace else last.ns, limit, cursor, "cli")
    except InvalidQuestion as error:
        raise typer.BadParameter(error.message) from error


def _show(config: Path | None, question: Question, timeout: Duration, records: str, output: Output) -> None:
    reply = asked(config, lambda rooms: rooms.desk.find(question, timeout.seconds))
    if output is Output.JSON:
        print_json(_json(reply))
    else:
        print_page(_page(question, reply, records))
    if reply.answer.nobody_answered:
        raise typer.Exit(1)


def _page(question: Question, reply: Reply, records: str) -> list[RenderableType]:
    rows = reply.answer.rows
    shown: list[RenderableType] = []
    if rows:
        shown += [spans_table(rows)] if question.signal is SPANS else log_lines(rows)
    shown += footer(reply.answer, records)
    if reply.instead is not None:
        shown += [Text(), Text(reply.note, "bold yellow"), *summary_page(reply.instead)]
    return shown


def _json(reply: Reply) -> dict[str, Any]:
    answer = reply.answer
    found: dict[str, Any] = {
        "rows": [{"agent": sent.agent} | as_dict(sent.row) for sent in answer.rows],
        "total_count": answer.total,
        "total_is_exact": answer.total_is_exact,
        "cursor": answer.cursor,
        "agents": outcomes_json(answer.outcomes),
        "warnings": list(answer.warnings),
    }
    if reply.instead is not None:
        found |= {"note": reply.note, "summary_instead": summary_json(reply.instead)}
    return found
