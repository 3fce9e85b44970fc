"""Around the rows of a page: their times, the line under them, and the warnings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from agent.cli.text import clock_text, moment, safe

Answer = api.QuerySpansResponse | api.QueryLogsResponse | api.QueryMetricsResponse

_ORDERS = {
    api.ORDER_UNSPECIFIED: "newest first",
    api.ORDER_NEWEST: "newest first",
    api.ORDER_OLDEST: "oldest first",
    api.ORDER_SLOWEST: "slowest first",
}


def time_texts(times: Sequence[Timestamp | None], zone: dt.tzinfo | None = None) -> list[str]:
    """The times of day, with the day when there are several; ``-`` for none."""
    moments = [None if time is None else moment(time, zone) for time in times]
    is_one_day = len({found.date() for found in moments if found}) <= 1
    return ["-" if found is None else clock_text(found) if is_one_day else _day_text(found) for found in moments]


def _day_text(time: dt.datetime) -> str:
    return f"{time:%m-%d} {clock_text(time)}"


def page_footer(
    answer: Answer, records: str, times: Sequence[Timestamp | None], order: api.Order, zone: dt.tzinfo | None = None
) -> Text:
    """How much of how much, in which order, on which day, and how to go on; ``records`` is what is counted."""
    if not times:
        return Text(f"no {records} match; look further back with --last 1h, or see what is kept: coral-agent info", "yellow")
    line = f"showing {len(times):,} of {total_text(answer)}, {_ORDERS.get(order, '')}"
    first = next((time for time in times if time is not None), None)
    if first is not None:
        line += f"; {moment(first, zone):%Y-%m-%d, UTC%z}"
    if answer.next_page_token:
        line += f"; next page: --page-token {answer.next_page_token}"
    return Text(safe(line), "dim")  # never cut: the token is there to be copied


def total_text(answer: Answer) -> str:
    """How many match; a lower bound is told as one."""
    return f"{answer.total_count:,}" if answer.total_is_exact else f"at least {answer.total_count:,}"


def warning_lines(warnings: Iterable[str]) -> list[Text]:
    """What the answer leaves out, one a line."""
    return [Text.assemble(("warning: ", "yellow"), safe(warning)) for warning in warnings]
