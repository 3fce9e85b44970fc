"""Event times far from their arrival are counted, and only those."""

from __future__ import annotations

import pyarrow as pa
import pytest

from agent.decode.skew import AHEAD_NS, BEHIND_NS, skewed

NOW = 1_790_000_000_000_000_000


@pytest.mark.parametrize(
    ("times", "counts"),
    [
        ([], {}),
        ([NOW, NOW + AHEAD_NS, NOW - BEHIND_NS], {}),
        ([NOW, NOW + AHEAD_NS + 1, 2**63 - 1], {"ahead": 2}),
        ([NOW, NOW - BEHIND_NS - 1, 0], {"behind": 2}),
        ([0, 2**63 - 1, NOW], {"ahead": 1, "behind": 1}),
    ],
)
def test_times_over_a_minute_ahead_or_over_an_hour_behind_are_counted(times, counts):
    assert counts == skewed(pa.array(times, pa.int64()), NOW)
