"""Statements of span summaries: counts by minute and bucket, and the traces worth a look; pure, with golden files."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.query.sql import _visible, _Where
from agent.store.statement import Source, Statement

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""The factor between bucket bounds: a quantile is off by at most a hundredth of itself."""

MAX_OPERATIONS = 1000
"""Of each source the most frequent; the others are counted together, by service."""

MAX_ROWS = 100_000
"""Of one statement: a thousand operations in a hundred buckets."""

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


def _grouped(asked: Summarised, source: Source, columns: str, selected: str, group: str) -> Statement:
    """``selected`` over the matching spans, their name null when it is none of the most frequent."""
    where = _matches(asked, source)
    text = (
        f"WITH matching AS MATERIALIZED (SELECT service_name, name, kind, failed, {columns} "  # noqa: S608 our own names; values are bound
        f"FROM {source.relation}{where.text()}), "
        "frequent AS (SELECT service_name, name, kind FROM matching GROUP BY ALL "
        "ORDER BY count(*) DESC, service_name, name, kind LIMIT ?), "
        "named AS (SELECT m.* REPLACE (f.name AS name, coalesce(f.kind, 0) AS kind) FROM matching m "
        "LEFT JOIN frequent f USING (service_name, name, kind)) "
        f"SELECT {selected} FROM named GROUP BY {group} LIMIT ?"
    )
    return Statement(text, [*where.parameters, MAX_OPERATIONS, MAX_ROWS])


def buckets(asked: Summarised, source: Source) -> Statement:
    """Service, name (null: of the rest), kind, bucket (null: no duration), spans, errors."""
    return _grouped(
        asked,
        source,
        f"CASE WHEN duration_ns > 0 THEN ceil(ln(duration_ns) / {math.log(GAMMA)!r})::INTEGER END AS bucket",
        f"{_GROUP}, bucket, count(*), count(*) FILTER (failed)",
        f"{_GROUP}, bucket",
    )


def samples(asked: Summarised, source: Source) -> Statement:
    """Service, name, kind; then (duration, high, low) of the slowest spans, and of the slowest that failed or null."""
    slowest = f"arg_max((duration_ns, trace_id_high, trace_id_low), duration_ns, {SAMPLES})"
    return _grouped(
        asked,
        source,
        "duration_ns, trace_id_high, trace_id_low",
        f"{_GROUP}, {slowest}, {slowest} FILTER (failed)",
        _GROUP,
    )
