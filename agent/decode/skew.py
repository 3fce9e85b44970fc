"""Records whose event time is far from their arrival: kept by arrival, found at the time they say, and counted; pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

AHEAD_NS = 60 * 10**9
"""No record is from the future: this much is left to clocks."""

BEHIND_NS = 3600 * 10**9
"""Longer than any sender tries again; a span of an hour, whose time is when it began, is rare."""


def skewed(times: pa.Array, now_ns: int) -> dict[str, int]:
    """How many of these times, in nanoseconds, are over a minute "ahead" of now or over an hour "behind"; each over 0.

    One pass over the column where none is: 2 ns a record.
    """
    if not len(times):
        return {}
    bounds = pc.min_max(times).as_py()
    counts = {}
    if bounds["max"] > now_ns + AHEAD_NS:
        counts["ahead"] = pc.greater(times, now_ns + AHEAD_NS).true_count
    if bounds["min"] < now_ns - BEHIND_NS:
        counts["behind"] = pc.less(times, now_ns - BEHIND_NS).true_count
    return counts
