"""The commands that ask an agent, and the one that checks a configuration."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.text import Text

from agent import errors
from agent.cli import ask, options
from agent.cli.kept import limits_table, services_table
from agent.cli.options import (
    CaOption,
    CertOption,
    ConfigOption,
    KeyOption,
    Kind,
    Order,
    Output,
    OutputOption,
    ServerNameOption,
    TargetOption,
)
from agent.cli.spans import spans_footer, spans_table, warning_lines
from agent.cli.text import safe
from agent.cli.trace import trace_heading, trace_table
from agent.clock import SystemClock
from agent.config.keys import effective_toml
from agent.config.model import Config
from agent.quantity import Duration

REFUSED = 2
"""Exit code for what was typed or configured; 1 is for what an agent answered."""

_PIPED_WIDTH = 160
"""Columns when no terminal says how wide it is."""

commands = typer.Typer(
    name="coral-agent",
    help="Keep a node's telemetry for an hour, and answer questions about it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def fail(message: str, code: int) -> NoReturn:
    """End with ``message`` on standard error."""
    for line in message.splitlines():
        sys.stderr.write(f"{safe(line)}\n")
    raise typer.Exit(code)


def loaded(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration; its problems end the program."""
    try:
        return Config.load(path, os.environ, overrides)
    except errors.ConfigError as error:
        fail(error.message, REFUSED)


def console() -> Console:
    """Standard output for people: nothing in a text is markup."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else _PIPED_WIDTH, highlight=False, markup=False, emoji=False)


@contextmanager
def _agent(target: ask.Target) -> Iterator[rpc.TelemetryQueryStub]:
    try:
        with ask.asking(target) as stub:
            yield stub
    except grpc.RpcError as error:
        fail(ask.explained(error, target), 1)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; --tls-ca, --tls-cert and --tls-key name PEM files", REFUSED)


def _print_json(answer: Message) -> None:
    """One object; ASCII only, so that a C1 control in telemetry cannot reach the terminal."""
    document = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _last(last: Duration | None, start: Timestamp | None, end: Timestamp | None) -> Timestamp | None:
    """The window's start: ``--last`` counts back from now."""
    if last is None:
        return start
    if start or end:
        raise typer.BadParameter("give --last, or --start and --end, not both")
    found = Timestamp()
    found.FromNanoseconds(SystemClock().now_ns() - last.ns)
    return found


@commands.command()
def spans(  # noqa: PLR0913 every filter of the request is an option
    *,
    service: Annotated[str, typer.Option("--service", "-s", help="Exact name; else every service.")] = "",
    last: Annotated[
        Duration | None, typer.Option("--last", "-l", metavar="5m", parser=options.duration, help="Look back this far.")
    ] = None,
    start: Annotated[
        Timestamp | None, typer.Option(metavar="RFC3339", parser=options.rfc3339, help="From then, inclusive.")
    ] = None,
    end: Annotated[
        Timestamp | None, typer.Option(metavar="RFC3339", parser=options.rfc3339, help="Until then, exclusive.")
    ] = None,
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
    attribute: Annotated[
        list[api.AttributeFilter] | None,
        typer.Option("--attribute", "-a", metavar="KEY=VALUE", parser=options.attribute, help="All given must match."),
    ] = None,
    order: Annotated[Order, typer.Option(help="Which come first.")] = Order.NEWEST,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows; 0: as many as the agent gives.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip; --page-token is exact.")] = 0,
    page_token: Annotated[str, typer.Option(help="Go on where a page ended; repeat the filters.")] = "",
    output: OutputOption = Output.TABLE,
    target: TargetOption = options.TARGET,
    tls_ca: CaOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    tls_server_name: ServerNameOption = None,
) -> None:
    """List spans."""
    request = api.QuerySpansRequest(
        service_name=service,
        start_time=_last(last, start, end),
        end_time=end,
        trace_id=trace_id,
        operation_name=operation,
        min_duration_ms=min_duration,
        max_duration_ms=max_duration,
        errors_only=errors or None,
        kind=None if kind is None else f"SPAN_KIND_{kind.name}",
        attributes=attribute,
        order=f"ORDER_{order.name}",
        limit=limit,
        offset=offset,
        page_token=page_token,
    )
    with _agent(options.target_of(target, tls_ca, tls_cert, tls_key, tls_server_name)) as stub:
        answer = stub.QuerySpans(request, timeout=ask.TIMEOUT_SECONDS)
    if output is Output.JSON:
        _print_json(answer)
    else:
        _print_spans(answer, request.order)


def _print_spans(answer: api.QuerySpansResponse, order: api.Order) -> None:
    out = console()
    if answer.spans:
        out.print(spans_table(answer))
    out.print(spans_footer(answer, order), soft_wrap=True)
    for line in warning_lines(answer.warnings):
        out.print(line, soft_wrap=True)


@commands.command()
def trace(  # noqa: PLR0913 the connection is five options
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="32 hexadecimal digits.")],
    *,
    output: OutputOption = Output.TABLE,
    target: TargetOption = options.TARGET,
    tls_ca: CaOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    tls_server_name: ServerNameOption = None,
) -> None:
    """Show one trace as a tree in time."""
    with _agent(options.target_of(target, tls_ca, tls_cert, tls_key, tls_server_name)) as stub:
        answer = ask.whole_trace(stub, trace_id)
    if output is Output.JSON:
        _print_json(answer)
        return
    out = console()
    if answer.spans:
        out.print(trace_heading(answer.spans))
        out.print(trace_table(answer.spans))
    else:
        out.print(Text("this agent keeps no span of this trace; other agents may, and an hour is all that is kept", "yellow"))
    if answer.has_more:
        out.print(Text(f"the trace has more than these {len(answer.spans):,} spans", "yellow"))
    for line in warning_lines(answer.warnings):
        out.print(line, soft_wrap=True)


@commands.command()
def info(
    *,
    output: OutputOption = Output.TABLE,
    target: TargetOption = options.TARGET,
    tls_ca: CaOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    tls_server_name: ServerNameOption = None,
) -> None:
    """Show what the agent keeps, and under which limits and rules."""
    with _agent(options.target_of(target, tls_ca, tls_cert, tls_key, tls_server_name)) as stub:
        answer = stub.GetDataInfo(api.GetDataInfoRequest(), timeout=ask.TIMEOUT_SECONDS)
    if output is Output.JSON:
        _print_json(answer)
        return
    out = console()
    out.print(limits_table(answer))
    out.print()
    out.print(services_table(answer) if answer.signals else Text("nothing is kept yet", "yellow"))
    for line in warning_lines(answer.warnings):
        out.print(line, soft_wrap=True)


@commands.command()
def check(config: ConfigOption = None) -> None:
    """Validate a configuration and print the effective one."""
    sys.stdout.write(effective_toml(loaded(config)))
