"""A service at a glance: ``coral_query_telemetry_spans``."""

from __future__ import annotations

from typing import Annotated, Literal

from coral.agent.v1 import telemetry_query_pb2 as api
from pydantic import Field

from colony.answer.figures import tell_summary
from colony.answer.rows import tell_spans
from colony.answer.told import Told
from colony.errors import InvalidQuestion
from colony.signals import SPANS
from colony.tools.arguments import Arguments, Cursor, Limit, Service, TimeRange, window_ns
from colony.tools.paging import Wanted, near_operations, paged, unknown_service
from colony.tools.tool import Surroundings, Tool


class TelemetrySpans(Arguments):
    """Which service, over which time."""

    service_name: Service
    time_range: TimeRange = "5m"
    operation: Annotated[str, Field(description="Exact span name")] = ""
    mode: Annotated[
        Literal["summary", "detailed"],
        Field(description="summary: one-minute sketches, fast; detailed: the slowest spans, from agents"),
    ] = "summary"
    limit: Limit = 20
    cursor: Cursor = ""


async def _answer(here: Surroundings, asked: TelemetrySpans) -> Told:
    if asked.service_name == "*":
        raise InvalidQuestion("service_name: name one service here; coral_list_services has them")
    told = await (_summary(here, asked) if asked.mode == "summary" else _detailed(here, asked))
    if told.rows or told.structured.get("missing_count"):
        return told
    reason = unknown_service(here, asked.service_name)
    if asked.operation and not reason:
        reason = await near_operations(here, asked.service_name, asked.operation)
    if reason:
        raise InvalidQuestion(reason)
    return told


async def _summary(here: Surroundings, asked: TelemetrySpans) -> Told:
    answer = await here.desk.summary(asked.service_name, window_ns(asked.time_range), asked.operation or None)
    return tell_summary(answer, here.answer_tokens)


async def _detailed(here: Surroundings, asked: TelemetrySpans) -> Told:
    request = api.QuerySpansRequest(
        service_name=asked.service_name, operation_name=asked.operation or None, order=api.ORDER_SLOWEST
    )
    what = f"spans of {asked.service_name[:60]}, of the last {asked.time_range}, slowest first"
    wanted = Wanted(SPANS, request, window_ns(asked.time_range), asked.limit, asked.cursor, what, "span")
    return await paged(here, wanted, tell_spans)


TOOL = Tool(
    "coral_query_telemetry_spans",
    "A service at a glance",
    "Start here: rate, errors, P50/P95/P99 and example traces of each operation of a service, from one-minute summaries by END "
    "time (kept for a day; the newest minute may be missing).",
    TelemetrySpans,
    _answer,
)
