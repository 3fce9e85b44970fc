"""Statements of span summaries: counts by minute and bucket, and the traces worth a look; pure, with golden files."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.query.parts import ALL, Portion
from agent.query.sql import _visible, _Where, in_portion
from agent.store.statement import Source, Statement

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""The factor between bucket bounds: a quantile is off by at most a hundredth of itself."""

MAX_ROWS = 100_000
"""Of one answer of DuckDB's: a thousand operations in a hundred buckets."""

SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Summarised:
    """A checked question for summaries: whole minutes ``[start_ns, end_ns)`` of spans' ends; of one service, or of all."""

    start_ns: int
    end_ns: int
    own: tuple[str, ...] | None
    service_name: str | None = None
    nothing: bool = False


def can_match(asked: Summarised, source: Source) -> bool:
    """Whether a source can hold a span that ended within the window."""
    bounds = source.bounds
    return bounds.min_time_ns < asked.end_ns and bounds.max_time_ns + max(0, bounds.max_duration_ns) >= asked.start_ns


def _matches(asked: Summarised, source: Source) -> _Where:
    """Spans that ended within the window. A span that ends before it starts counts as ended when it started.

    Nothing can overflow: starts are not below zero, and durations are compared with differences of two such numbers.
    """
    where = _visible(asked.own, source)
    if asked.service_name is not None:
        where.add("service_name = ?", asked.service_name)
    earliest = max(0, asked.start_ns - max(0, source.bounds.max_duration_ns))
    where.add("start_time_ns >= ?", earliest)
    where.add("start_time_ns < ?", asked.end_ns)
    where.add("greatest(duration_ns, 0) >= ? - start_time_ns", asked.start_ns)
    where.add("greatest(duration_ns, 0) < ? - start_time_ns", asked.end_ns)
    return where


_GROUP = "service_name, name, kind"


def _grouped(asked: Summarised, source: Source, selected: str, group: str, portion: Portion) -> Statement:
    """``selected`` over the matching spans of a portion of the groups."""
    where = _matches(asked, source)
    in_portion(where, portion, _GROUP)
    text = f"SELECT {selected} FROM {source.relation}{where.text()} GROUP BY {group} LIMIT ?"  # noqa: S608 our own names; values are bound
    return Statement(text, [*where.parameters, MAX_ROWS])


def buckets(asked: Summarised, source: Source, portion: Portion = ALL) -> Statement:
    """Service, name, kind, bucket (null: no duration), spans, errors."""
    bucket = f"CASE WHEN duration_ns > 0 THEN ceil(ln(duration_ns) / {math.log(GAMMA)!r})::INTEGER END AS bucket"
    selected = f"{_GROUP}, {bucket}, count(*), count(*) FILTER (failed)"
    return _grouped(asked, source, selected, f"{_GROUP}, bucket", portion)


def samples(asked: Summarised, source: Source, portion: Portion = ALL) -> Statement:
    """Service, name, kind; then (duration, high, low) of the slowest spans, and of the slowest that failed or null."""
    slowest = f"max((duration_ns, trace_id_high, trace_id_low), {SAMPLES})"  # ids decide among equals, whatever the groups
    return _grouped(asked, source, f"{_GROUP}, {slowest}, {slowest} FILTER (failed)", _GROUP, portion)
