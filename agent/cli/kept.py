"""What an agent keeps: limits and rules in a few lines, services per signal in a table."""

from __future__ import annotations

import datetime as dt

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from agent.cli.text import cell, moment, safe, size_text
from agent.quantity import Duration


def limits_table(answer: api.GetDataInfoResponse, zone: dt.tzinfo | None = None) -> Table:
    """Who answered, and under which limits and rules telemetry is kept."""
    share = f" ({answer.used_bytes / answer.max_bytes:.0%})" if answer.max_bytes else ""
    retired = f"{answer.segments_retired_by_age:,} by age, {answer.segments_retired_by_budget:,} by disk budget"
    early = bool(answer.segments_retired_by_budget)
    scrubbed = f"{safe(answer.scrub_profile)}, at the {safe(answer.scrub_stage)} door, rules {safe(answer.scrub_rules_hash)}"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("agent", cell(f"{answer.agent_id}, version {answer.version}"))
    table.add_row("its clock", _time_text(answer.agent_time, zone))
    table.add_row("kept for", str(Duration(answer.retention.ToNanoseconds())))
    table.add_row("on disk", f"{size_text(answer.used_bytes)} of {size_text(answer.max_bytes)}{share}")
    table.add_row("retired", Text(f"{retired}, in slices, since its start", "yellow" if early else ""))
    table.add_row("scrubbed", cell(scrubbed))
    return table


def services_table(answer: api.GetDataInfoResponse, zone: dt.tzinfo | None = None) -> Table:
    """Rows, sizes and times per signal and service."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("SIGNAL", no_wrap=True)
    table.add_column("SERVICE", min_width=12)
    table.add_column("ROWS", justify="right", no_wrap=True)
    table.add_column("SIZE", justify="right", no_wrap=True)
    table.add_column("EARLIEST", no_wrap=True)
    table.add_column("LATEST", no_wrap=True)
    for signal in answer.signals:
        _add(table, cell(signal.signal, "bold"), Text("all", "bold"), signal, zone)
        for service in signal.services:
            _add(table, Text(""), cell(service.service_name, "cyan"), service, zone)
    return table


def _add(table: Table, signal: Text, service: Text, kept: api.SignalInfo | api.ServiceInfo, zone: dt.tzinfo | None) -> None:
    times = (
        _time_text(kept.earliest_time, zone) if kept.HasField("earliest_time") else "-",
        _time_text(kept.latest_time, zone) if kept.HasField("latest_time") else "-",
    )
    table.add_row(signal, service, f"{kept.rows:,}", size_text(kept.bytes), *times)


def _time_text(time: Timestamp, zone: dt.tzinfo | None) -> str:
    return f"{moment(time, zone):%Y-%m-%d %H:%M:%S}"
