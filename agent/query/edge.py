"""How far a page's rows may lie from the best end of a source, where rows come about in order of time; pure.

DuckDB's top-n puts every row that beats the worst so far into its heap, and of rows that come oldest first each one does: the
newest 101 of 50,000 take 8 ms, those among the newest 3,000 rows 2 ms. So a part is looked through first, and the whole only
when the part has not enough.
"""

from __future__ import annotations

from agent.query.fields import Order
from agent.query.page import Position
from agent.query.plan import Plan
from agent.store.segment import Bounds

LOOKED_THROUGH = 32
"""Rows for each that is wanted, at first."""

ROOM_FOR_UNEVENNESS = 2
"""How many more are looked through than the first part's share of matches calls for."""


def edge_of(plan: Plan, bounds: Bounds, after: Position | None, rows: int) -> int | None:
    """The time up to which about so many rows of a source lie behind a position; None when that is half of it, or more.

    None too where time says nothing of the order, or so few rows match that all is looked through anyway.
    """
    if plan.order is Order.SLOWEST or "trace_id_high" in plan.equal or not bounds.rows:
        return None
    begin, end = bounds.min_time_ns, bounds.max_time_ns
    if plan.window.start_ns is not None:
        begin = max(begin, plan.window.start_ns)
    if plan.window.end_ns is not None:
        end = min(end, plan.window.end_ns)
    if after is not None:
        begin, end = (max(begin, after.key), end) if plan.order is Order.OLDEST else (begin, min(end, after.key))
    length = rows * (bounds.max_time_ns - bounds.min_time_ns) // bounds.rows
    if 2 * length >= end - begin:
        return None
    return begin + length if plan.order is Order.OLDEST else end - length
