"""A segment's filter knows every trace that is there, and few that are not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.store.bloom import BITS_PER_ID, MOST_RANGES, Bloom, Traces, bloom_of, traces_of


def bloom(ids: list[int]) -> Bloom:
    return bloom_of(np.array(ids, np.uint64))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=300))
@example([0, 2**64 - 1, 1 << 63, 1])
@example([])
def test_every_trace_that_is_there_may_be_there(ids):
    made = bloom(ids)
    assert all(made.may_hold(one) for one in ids)
    assert all(Bloom(made.bits).may_hold(one) for one in ids), "as after a start"


def test_of_nothing_nothing_may_be_there():
    made = bloom([])
    assert not any(made.may_hold(one) for one in (0, 1, 2**64 - 1))


@pytest.mark.parametrize("count", [100, 10_000, 104_857])
def test_few_that_are_not_there_may_be_there(count):
    noise = random.Random(count)
    made = bloom([noise.getrandbits(64) for _ in range(count)])
    others = [noise.getrandbits(64) for _ in range(20_000)]
    assert sum(made.may_hold(one) for one in others) < 20_000 / 40, "one in eighty at ten bits and four probes"
    assert len(made.bits) <= max(128, 2 * count * BITS_PER_ID / 8)


@pytest.mark.parametrize("shift", [0, 8, 32, 48])
def test_ids_of_senders_that_count_spread_over_the_filter_too(shift):
    made = bloom([number << shift for number in range(10_000)])
    assert sum(made.may_hold(number << shift) for number in range(10_000, 30_000)) < 20_000 / 40


END = 2**63 - 1


def in_runs(*runs: list[int]) -> Traces:
    """Filters of runs of a hundred rows, the first of which has arrival 1000."""
    return traces_of((1000 + 100 * number, np.array(ids, np.uint64)) for number, ids in enumerate(runs))


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=20), min_size=1, max_size=20))
def test_a_trace_is_looked_for_wherever_it_may_be(runs):
    made = in_runs(*runs)
    for number, ids in enumerate(runs):
        for one in ids:
            assert made.may_hold(one)
            ranges = made.ranges(one)
            assert ranges is not None
            assert len(ranges) <= MOST_RANGES
            assert any(first <= 1000 + 100 * number < end for first, end in ranges)


def test_it_is_not_looked_for_in_other_runs_and_neighbours_are_one_range():
    made = in_runs([1], [2], [2], [3], [2])
    assert made.ranges(1) == ((1000, 1100),)
    assert made.ranges(2) == ((1100, 1300), (1400, END))
    assert made.ranges(4) == ()


def test_of_many_ranges_the_least_that_holds_all_is_asked():
    made = in_runs([9], *([[5], [6]] * (MOST_RANGES + 1)), [9])
    assert made.ranges(5) == ((1100, 1100 + 100 * (2 * MOST_RANGES + 1)),)


def test_without_runs_it_may_be_anywhere():
    assert Traces(bloom([1])).ranges(1) is None
