"""Data points from the agents: ``coral_query_raw_metrics``."""

from __future__ import annotations

from typing import Annotated, Literal

from coral.agent.v1 import telemetry_query_pb2 as api
from pydantic import Field

from colony.answer.rows import tell_points
from colony.answer.told import Told
from colony.errors import InvalidQuestion
from colony.signals import POINTS
from colony.tools.arguments import Arguments, Attributes, Cursor, Limit, Service, TimeRange, filters_of, service_of, window_ns
from colony.tools.paging import Wanted, near_metrics, paged, unknown_service
from colony.tools.tool import Surroundings, Tool


class RawMetrics(Arguments):
    """Which data points."""

    service_name: Service
    time_range: TimeRange = "5m"
    metric_name: Annotated[str, Field(description="Exact name; coral_list_names has them")] = ""
    attributes: Attributes = Field(default_factory=dict)
    order: Literal["newest", "oldest"] = "newest"
    limit: Limit = 50
    cursor: Cursor = ""


async def _answer(here: Surroundings, asked: RawMetrics) -> Told:
    service = service_of(asked.service_name)
    request = api.QueryMetricsRequest(
        service_name=service,
        metric_name=asked.metric_name or None,
        attributes=filters_of(asked.attributes),
        order=f"ORDER_{asked.order.upper()}",
    )
    metric = f" of {asked.metric_name[:80]}" if asked.metric_name else ""
    what = f"data points{metric} of {asked.service_name[:60]}, of the last {asked.time_range}, {asked.order} first"
    wanted = Wanted(POINTS, request, window_ns(asked.time_range), asked.limit, asked.cursor, what, "data point")
    told = await paged(here, wanted, tell_points)
    if told.rows or told.structured.get("missing_count"):
        return told
    reason = unknown_service(here, service)
    if asked.metric_name and not reason:
        reason = await near_metrics(here, service, asked.metric_name)
    if reason:
        raise InvalidQuestion(reason)
    return told


TOOL = Tool(
    "coral_query_raw_metrics",
    "Data points",
    "Data points of a service's metrics: gauges and sums by value, histograms by count, sum, min, max and mean; cumulative "
    "ones as sent.",
    RawMetrics,
    _answer,
)
