"""Which rows a part holds, which segments are kept and which must go: laws."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.batch import Signal
from agent.store.segment import JOINED_WITH, MERGED_ROWS, Bounds, Part, bounds_of, expired, over_budget, segment_name, times_in
from tests.agent.store.keeping import hot_rows
from tests.telemetry import START

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([1, 511, 512, MERGED_ROWS - 1, MERGED_ROWS, MERGED_ROWS + 1]))


def arrivals(part: Part) -> list[int]:
    return [arrival for batch in part.tail for arrival in batch.column("arrival").to_pylist()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SIZES, st.floats(0, 1)), min_size=1, max_size=25))
def test_appending_and_flushing_keep_every_row_once_and_in_order_whatever_the_sizes(steps):
    part, end = Part(), 0
    for count, share in steps:
        rows = hot_rows(count, end)
        part = part.appended(rows, bounds_of(Signal.TRACES, rows))
        end += count
        moved = int(part.tail_rows * share)
        head = part.head(moved).column("arrival").to_pylist() if moved else []
        assert head == arrivals(part)[:moved]
        before = part
        part = part.flushed(moved)
        assert (
            arrivals(before)[moved:]
            == arrivals(part)
            == list(range(part.flushed_below if moved else end - part.tail_rows, end))
        )
        assert part.tail_rows == len(arrivals(part))
        assert part.bounds.rows == end, "what is in the file still counts"
        assert all(arrival < part.flushed_below for arrival in head)
        assert all(arrival >= part.flushed_below for arrival in arrivals(part))


@settings(max_examples=20, deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=60))
def test_batches_in_memory_stay_few(sizes):
    part, end = Part(), 0
    for count in sizes:
        rows = hot_rows(count, end)
        part, end = part.appended(rows, bounds_of(Signal.TRACES, rows)), end + count
    counts = [batch.num_rows for batch in part.tail]
    behind = [sum(counts[place + 1 :]) for place in range(len(counts))]
    assert all(count + rest > MERGED_ROWS or rest < JOINED_WITH * count for count, rest in zip(counts, behind, strict=True))
    assert sum(count + rest <= MERGED_ROWS for count, rest in zip(counts, behind, strict=True)) < 32  # log4/3(MERGED_ROWS)


def test_like_groups_are_joined_by_fours():
    part = Part()
    for group in range(7):
        rows = hot_rows(512, 512 * group)
        part = part.appended(rows, bounds_of(Signal.TRACES, rows))
    assert [batch.num_rows for batch in part.tail] == [2048, 512, 512, 512]


def test_a_part_that_a_reader_holds_does_not_change():
    rows = hot_rows(10, 0)
    held = Part().appended(rows, bounds_of(Signal.TRACES, rows))
    held.appended(hot_rows(10, 10), Bounds())
    held.flushed(7)
    assert arrivals(held) == list(range(10))
    assert held.flushed_below == 0


def test_bounds_are_the_extremes_and_join_like_sets():
    first, second = (bounds_of(Signal.TRACES, hot_rows(5, at)) for at in (0, 100))
    assert first == Bounds(5, START, START + 4000, 0)
    assert first.joined(second) == second.joined(first) == Bounds(10, START, START + 104_000, 0)
    assert first.joined(Bounds()) == first


TIMES = st.integers(0, 10**12)


@given(opened=TIMES, length=st.integers(1, 10**10), arrival=st.floats(0, 1, exclude_max=True), retention=TIMES, now=TIMES)
def test_a_segment_is_never_both_expired_and_holding_a_row_that_must_still_be_kept(opened, length, arrival, retention, now):
    closes = opened + length
    arrived = opened + int(arrival * length)
    if expired(closes, retention, now):
        assert now - arrived > retention, "a row would be gone before its time"
    if now - arrived >= retention + length:
        assert expired(closes, retention, now), "a row would be kept longer than the retention and a segment"


@given(st.lists(st.integers(0, 1000)), st.integers(-100, 5000))
def test_the_budget_takes_the_fewest_of_the_oldest_that_make_room(sizes, max_bytes):
    count = over_budget(sizes, max_bytes)
    assert 0 <= count <= len(sizes)
    assert count == len(sizes) or sum(sizes[count:]) <= max_bytes
    assert count == 0 or sum(sizes[count - 1 :]) > max_bytes, "one less would have done"


@given(st.lists(st.tuples(st.integers(0, 10**19), st.integers(0, 10**19)), min_size=2, max_size=5, unique=True))
def test_names_sort_as_their_segments_opened_and_tell_their_times(times):
    names = {segment_name(*pair, secrets.token_hex(4)): pair for pair in times}
    assert [names[name] for name in sorted(names)] == sorted(times)
    assert all(times_in(name) == pair for name, pair in names.items())


@pytest.mark.parametrize("name", ["", "lock", "1_2", "1_2_3_4", "a_b_c", "1__c"])
def test_another_name_is_no_segment(name):
    with pytest.raises(ValueError, match=r"."):
        times_in(name)


def test_two_segments_of_one_instant_have_two_names():
    assert segment_name(1, 2, "aa") != segment_name(1, 2, "ab")
