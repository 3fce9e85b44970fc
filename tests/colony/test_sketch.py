"""Sketches add up, and a quantile of the sum is off by no more than is said."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from colony.sketch import GAMMA, RELATIVE_ERROR, Sketch, relative_error

DURATIONS = st.lists(st.integers(-5, 10**13), min_size=1, max_size=60)
QUANTILES = st.sampled_from([0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0])


@given(DURATIONS, QUANTILES)
def test_a_quantile_is_off_by_at_most_the_stated_share(durations, quantile):
    exact = max(0, sorted(durations)[max(1, math.ceil(quantile * len(durations))) - 1])

    told = Sketch.of(durations).quantile_ns(quantile)

    assert told is not None
    assert abs(told - exact) <= exact * (RELATIVE_ERROR + 1e-9)


@given(st.lists(DURATIONS, min_size=1, max_size=4), QUANTILES)
def test_sketches_of_parts_add_up_to_the_sketch_of_all(parts, quantile):
    whole = Sketch.of([duration for part in parts for duration in part])

    total = Sketch()
    for part in map(Sketch.of, parts):
        total.add(part.zeros, part.buckets)

    assert whole == total
    assert whole.quantile_ns(quantile) == total.quantile_ns(quantile)
    assert whole.count == sum(map(len, parts))


def test_of_nothing_there_is_no_quantile():
    assert Sketch().quantile_ns(0.5) is None


def test_the_factor_tells_the_error():
    assert math.isclose(RELATIVE_ERROR, relative_error(GAMMA))
