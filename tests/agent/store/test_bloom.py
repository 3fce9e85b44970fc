"""A segment's filter knows every trace that is there, and few that are not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.store.bloom import BITS_PER_ID, Bloom, bloom_of


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
