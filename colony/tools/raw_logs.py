"""Log records from the agents: ``coral_query_raw_logs``."""

from __future__ import annotations

from typing import Annotated, Literal

from coral.agent.v1 import telemetry_query_pb2 as api
from pydantic import BeforeValidator, Field

from colony.answer.rows import tell_logs
from colony.answer.told import Told
from colony.errors import InvalidQuestion
from colony.signals import LOGS
from colony.tools.arguments import (
    Arguments,
    Attributes,
    Cursor,
    Limit,
    Service,
    TimeRange,
    TraceId,
    filters_of,
    service_of,
    window_ns,
)
from colony.tools.paging import Wanted, paged, unknown_service
from colony.tools.tool import Surroundings, Tool

_LEVELS = {"": 0, "TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}


def _upper(value: object) -> object:
    return value.upper().replace("WARNING", "WARN") if isinstance(value, str) else value


class RawLogs(Arguments):
    """Which log records."""

    service_name: Service
    time_range: TimeRange = "5m"
    trace_id: TraceId = ""
    level: Annotated[
        Literal["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"],
        BeforeValidator(_upper),
        Field(description="This severe or more"),
    ] = ""
    query: Annotated[str, Field(description="Text in the body, any case, no wildcards")] = ""
    attributes: Attributes = Field(default_factory=dict)
    order: Literal["newest", "oldest"] = "newest"
    limit: Limit = 50
    cursor: Cursor = ""


async def _answer(here: Surroundings, asked: RawLogs) -> Told:
    service = service_of(asked.service_name)
    request = api.QueryLogsRequest(
        service_name=service,
        trace_id=asked.trace_id or None,
        min_severity=_LEVELS[asked.level],
        text=asked.query,
        attributes=filters_of(asked.attributes),
        order=f"ORDER_{asked.order.upper()}",
    )
    last_ns = None if asked.trace_id else window_ns(asked.time_range)
    wanted = Wanted(LOGS, request, last_ns, asked.limit, asked.cursor, _what(asked), "log record")
    told = await paged(here, wanted, tell_logs)
    reason = "" if told.rows or told.structured.get("missing_count") else unknown_service(here, service)
    if reason:
        raise InvalidQuestion(reason)
    return told


def _what(asked: RawLogs) -> str:
    filters = [
        f"{asked.level} or worse" if asked.level else "",
        f"with {asked.query[:60]!r}" if asked.query else "",
        f"of trace {asked.trace_id}" if asked.trace_id else f"of the last {asked.time_range}",
        f"{asked.order} first",
    ]
    return f"logs of {asked.service_name[:60]}, " + ", ".join(part for part in filters if part)


TOOL = Tool(
    "coral_query_raw_logs",
    "Log records",
    'Log records from the agents. All logs of one request: trace_id with service_name="*" (then all that is kept is searched).',
    RawLogs,
    _answer,
)
