"""Names that an agent knows: operations, metrics and attribute keys, each in a table."""

from __future__ import annotations

from collections.abc import Iterable

from coral.agent.v1 import telemetry_query_pb2 as api
from rich.table import Table
from rich.text import Text

from agent.cli.spans import kind_text
from agent.cli.text import cell, plain


def metric_kind_text(kind: int) -> str:
    """``exponential-histogram``, as the option takes it; a number that has no name as itself."""
    if kind == api.METRIC_TYPE_UNSPECIFIED:
        return "-"
    name = api.MetricType.Name(kind) if kind in api.MetricType.values() else str(kind)
    return name.removeprefix("METRIC_TYPE_").lower().replace("_", "-")


def operations_table(operations: Iterable[api.Operation]) -> Table:
    """What services do, most frequent first."""
    table = _table("OPERATION", "KIND", "SPANS", "ERRORS")
    for found in operations:
        errors = Text(f"{found.errors:,}", "red" if found.errors else "dim")
        table.add_row(cell(found.name), kind_text(found.kind), f"{found.spans:,}", errors)
    return table


def metrics_table(metrics: Iterable[api.MetricName]) -> Table:
    """What services measure, most frequent first."""
    table = _table("METRIC", "TYPE", "DATA POINTS", "UNIT", "DESCRIPTION")
    for found in metrics:
        points, unit = f"{found.data_points:,}", cell(found.unit)
        table.add_row(cell(found.name), metric_kind_text(found.type), points, unit, cell(found.description, "dim"))
    return table


def keys_table(keys: Iterable[api.AttributeKey]) -> Table:
    """Attribute keys of the newest records, each with an example."""
    table = _table("ATTRIBUTE", "SIGNAL", "RECORDS", "EXAMPLE")
    for found in keys:
        table.add_row(cell(found.key), cell(found.signal), f"{found.records:,}", cell(plain(found.example), "dim"))
    return table


def _table(name: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(name, min_width=20)
    for column in columns:
        is_count = column in {"SPANS", "ERRORS", "DATA POINTS", "RECORDS"}
        is_wide = column in {"DESCRIPTION", "EXAMPLE", "UNIT"}
        table.add_column(column, justify="right" if is_count else "left", no_wrap=not is_wide)
    return table
