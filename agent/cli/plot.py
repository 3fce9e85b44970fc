"""Thinned series as small plots of block characters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from agent.cli.curve import Curve, Grid, curve_of
from agent.cli.page import total_text
from agent.cli.text import attributes_text, moment, number_text, safe
from agent.quantity import Duration

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ROWS = 4
_LEVELS = _ROWS * (len(_BLOCKS) - 1)


def plots(answer: api.QueryMetricsResponse, grid: Grid, width: int) -> list[Text]:
    """Per series what it is, its plot, and its numbers."""
    lines = []
    for series in answer.series:
        curve = curve_of(series, grid)
        lines += [_heading(series, _telling(answer.series)), *_bars(curve, width), _numbers(curve), Text()]
    return lines


def plots_footer(answer: api.QueryMetricsResponse, grid: Grid, offset: int, zone: dt.tzinfo | None = None) -> Text:
    """How many of how many, when, and how to go on."""
    if not answer.series:
        return Text(
            "no data points match; which metrics there are: coral-agent metrics; look further back: --last 1h", "yellow"
        )
    start, end = (moment(_timestamp(time_ns), zone) for time_ns in (grid.start_ns, grid.end_ns))
    line = f"showing {len(answer.series):,} of {total_text(answer)} series, busiest first; {start:%Y-%m-%d %H:%M:%S} to "
    line += f"{end:%H:%M:%S, UTC%z}, step {Duration(grid.step_ns)}; the points: --points"
    if answer.has_more:
        line += f"; more: --offset {offset + len(answer.series)}"
    return Text(line, "dim")


def _timestamp(time_ns: int) -> Timestamp:
    found = Timestamp()
    found.FromNanoseconds(time_ns)
    return found


def _telling(series: Sequence[api.Series]) -> set[str]:
    """The resource attributes in which the series of one service differ: instances of it."""
    seen: dict[tuple[str, str], set[str]] = {}
    for one in series:
        for key, value in one.resource_attributes.items():
            seen.setdefault((one.service_name, key), set()).add(value)
    return {key for (_, key), values in seen.items() if len(values) > 1}


def _heading(series: api.Series, telling: set[str]) -> Text:
    instance = {key: value for key, value in series.resource_attributes.items() if key in telling}
    return Text.assemble(
        (safe(series.metric_name), "bold"),
        " ",
        (safe(series.service_name), "cyan"),
        (safe(f" {attributes_text(series.attributes)} {attributes_text(instance)}".rstrip()), "dim"),
    )


def _numbers(curve: Curve) -> Text:
    known = [value for value in curve.values if value is not None]
    if not known or curve.last is None:
        return Text(f"too few points to plot ({curve.caption})", "yellow")
    unit = f" {safe(curve.unit)}" if curve.unit else ""
    said = f"min {number_text(min(known))}  max {number_text(max(known))}  last {number_text(curve.last)}{unit}"
    return Text.assemble(said, (f"  {curve.caption}", "dim"))


def _bars(curve: Curve, width: int) -> list[Text]:
    """The plot, its greatest and least value before it."""
    known = [value for value in curve.values if value is not None]
    if not known:
        return []
    high, low = max(known), min([*known, 0.0]) if curve.has_zero else min(known)
    labels = [number_text(high), *[""] * (_ROWS - 2), number_text(low)]
    margin = max(len(label) for label in labels)
    heights = [_height(value, low, high) for value in _columns(curve.values, max(width - margin - 1, 10))]
    lines = []
    for row, label in enumerate(labels):
        below = (_ROWS - 1 - row) * (len(_BLOCKS) - 1)
        bars = "".join(_BLOCKS[max(0, min(height - below, len(_BLOCKS) - 1))] for height in heights)
        lines.append(Text.assemble((f"{label:>{margin}} ", "dim"), (bars.rstrip(), "blue")))
    return lines


def _height(value: float | None, low: float, high: float) -> int:
    """Eighths of a row; the lowest value is one, so that it differs from none."""
    if value is None:
        return 0
    if high <= low:
        return _LEVELS // 2 if value else 1
    return 1 + round((value - low) / (high - low) * (_LEVELS - 1))


def _columns(values: list[float | None], width: int) -> list[float | None]:
    """One value for each column of the terminal: slots stretched, or the greatest of those that share one."""
    wide = width // len(values)
    if wide:
        return [value for value in values for _ in range(wide)]
    shares = [values[at * len(values) // width : (at + 1) * len(values) // width] for at in range(width)]
    return [max((value for value in share if value is not None), default=None) for share in shares]
