"""How records of any signal are listed: one page with a footer, or, followed, batch after batch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import RenderableType

from agent.cli import ask
from agent.cli.commands.program import agent_at, console, print_json, print_page, print_rows
from agent.cli.follow import LATE_NS, Memory, Record, polled
from agent.cli.groups import Paged
from agent.cli.options import Output
from agent.cli.page import page_footer
from agent.cli.text import safe
from agent.clock import SystemClock


@dataclass(frozen=True)
class Listing(Generic[Record]):
    """Which call answers, what its records are called, and how they look."""

    name: str
    call: Callable[[rpc.TelemetryQueryStub], ask.Call]
    records: Callable[[ask.Page], Sequence[Record]]
    time_of: Callable[[Record], Timestamp | None]
    rows: Callable[[Sequence[Record]], Iterable[RenderableType]]

    def show(self, request: ask.Request, paged: Paged) -> None:
        """One page."""
        with agent_at(paged.agent()) as stub:
            answer = self.call(stub)(request, timeout=ask.TIMEOUT_SECONDS)
        if paged.output is Output.JSON:
            print_json(answer)
            return
        records = self.records(answer)
        footer = page_footer(answer, self.name, [self.time_of(record) for record in records], request.order)
        print_page(self.rows(records) if records else (), footer, answer.warnings)

    def follow(
        self, request: ask.Request, paged: Paged, rows: Callable[[Sequence[Record], bool], Iterable[RenderableType]]
    ) -> None:
        """What is there and what comes, until Ctrl-C; ``rows`` is told which batch is the first."""
        if paged.end or paged.offset or paged.page_token:
            raise typer.BadParameter("--follow has no end and no pages: leave out --end, --offset and --page-token")
        clock, out = SystemClock(), console()
        now_ns = clock.now_ns()
        since_ns = request.start_time.ToNanoseconds() if request.HasField("start_time") else now_ns - LATE_NS
        request.order, request.limit = api.ORDER_OLDEST, 0
        memory, is_first, warned = Memory(self.time_of, now_ns, since_ns), True, ""
        with agent_at(paged.agent()) as stub:
            try:
                for batch, warnings in polled(self.call(stub), request, self.records, memory, clock):
                    if paged.output is Output.JSON:
                        for record in batch:
                            print_json(record, indent=None)
                    elif batch:
                        print_rows(out, rows(batch, is_first))
                        is_first = False
                    sys.stdout.flush()
                    warned = _warn(warnings, warned)
            except KeyboardInterrupt:
                return


def _warn(warnings: Iterable[str], warned: str) -> str:
    """Tell warnings on standard error, unless they are those that were told last."""
    said = "".join(f"warning: {safe(warning)}\n" for warning in warnings)
    if said != warned:
        sys.stderr.write(said)
    return said
