"""Data points as a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from rich.table import Table
from rich.text import Text

from agent.cli.names import metric_kind_text
from agent.cli.page import time_texts
from agent.cli.text import attributes_text, cell, number_text


def value_text(point: api.DataPoint) -> str:
    """The number of a gauge or sum; count, sum, extremes and quantiles of the others."""
    if point.no_recorded_value:
        return "none recorded"
    number = point.WhichOneof("value")
    if number:
        return number_text(getattr(point, number))
    said = [f"{name} {number_text(getattr(point, name))}" for name in ("count", "sum", "min", "max") if point.HasField(name)]
    said += [f"p{found.quantile * 100:g} {number_text(found.value)}" for found in point.quantiles]
    return "  ".join(said) or "-"


def points_table(points: Sequence[api.DataPoint], zone: dt.tzinfo | None = None) -> Table:
    """One data point a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("TIME", no_wrap=True)
    table.add_column("SERVICE", min_width=8)
    table.add_column("METRIC", min_width=16)
    table.add_column("TYPE", no_wrap=True)
    table.add_column("VALUE", no_wrap=True)
    table.add_column("UNIT")
    table.add_column("ATTRIBUTES")
    times = time_texts([point.time for point in points], zone)
    for point, time in zip(points, times, strict=True):
        is_delta = point.temporality == api.AGGREGATION_TEMPORALITY_DELTA
        table.add_row(
            time,
            cell(point.service_name, "cyan"),
            cell(point.metric_name),
            metric_kind_text(point.type) + (", delta" if is_delta else ""),
            Text(value_text(point)),
            cell(point.unit),
            cell(attributes_text(point.attributes), "dim"),
        )
    return table
