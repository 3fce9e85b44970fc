"""Appending, closing and reading while both go on: every count is exact."""

from __future__ import annotations

import errno
import os
import resource
import threading

import pytest

from agent.batch import Signal
from agent.clock import MINUTE_NS, SECOND_NS
from agent.errors import StoreUnavailable
from agent.store.flusher import Flusher
from agent.store.reader import Reading
from agent.store.segment import ROW_GROUP, State
from agent.store.statement import Source, Statement
from agent.store.store import Store
from tests.agent.store.keeping import (
    HOUR_NS,
    NO_REQUESTS,
    StoppedClock,
    batch,
    damaged,
    flushed,
    kept_numbers,
    log_batch,
    numbers,
    opened,
    origins,
    reading,
    selected,
    shown,
)


def test_what_is_appended_is_read_at_once_and_in_order(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in range(0, 50, 10):
            store.append([batch(10, first)], NO_REQUESTS)
            assert numbers(store) == list(range(first + 10))


def test_several_batches_of_a_group_are_all_kept(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([batch(3)], NO_REQUESTS)
    assert kept_numbers(tmp_path) == [0, 1, 2]


def test_arrival_numbers_grow_by_one_a_row_across_segments(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        for first in range(0, 30, 10):
            store.append([batch(10, first)], NO_REQUESTS)
            clock.now += 5 * MINUTE_NS
        with reading(store) as found:
            arrivals = sorted(arrival for (arrival,) in selected(found, "arrival"))
        assert arrivals == list(range(arrivals[0], arrivals[0] + 30))
        assert len(store.segments) == 3


def test_signals_that_come_in_turn_keep_each_their_own_cold_columns_and_no_number_is_given_twice(tmp_path):
    # Small groups of a signal are joined in blocks, whose rows must follow each other without a gap.
    with opened(tmp_path) as (store, _):
        for first in range(0, 60, 10):
            store.append([batch(10, first), log_batch(7, first)], NO_REQUESTS)
            store.append([log_batch(3, first + 7)], NO_REQUESTS)
        for seal in (False, True):
            if seal:
                flushed(store, seal=True)
            assert numbers(store) == list(range(60))
            with reading(store) as found:
                (source,) = found.sources(Signal.LOGS)
                logs = [arrival for (arrival,) in found.select(source, Statement(f"SELECT arrival FROM {source.relation}", []))]
                bodies = found.cold(source.segment, Signal.LOGS, logs, ["body_text"])
                spans = {arrival for (arrival,) in selected(found, "arrival")}
                assert found.damaged == []
            assert [bodies[arrival] for arrival in sorted(logs)] == [(str(number),) for number in range(60)]
            assert spans.isdisjoint(logs)


def test_an_origin_is_written_once_a_segment_and_found_by_its_hash(tmp_path):
    with opened(tmp_path) as (store, _):
        for hash_ in (1, 2, 1, 2**64 - 1):
            store.append([batch(1, hash_ % 1000, origin=hash_)], NO_REQUESTS)
        for seal in (False, True):
            if seal:
                flushed(store, seal=True)
            with reading(store) as found:
                (segment,) = {source.segment for source in found.sources(Signal.TRACES)}
                rows = found.origins(segment, [1, 2, 2**64 - 1])
                assert sorted(rows, key=str) == sorted(origins(1, 2, 2**64 - 1).to_pylist(), key=str)


@pytest.mark.parametrize("step", [5 * MINUTE_NS, -1])
def test_a_segment_closes_when_its_time_is_over_or_the_clock_went_back(tmp_path, step):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        store.append([batch(1)], NO_REQUESTS)
        store.close_due_segment(clock.now + 5 * MINUTE_NS - 1)
        assert [segment.state for segment in store.segments] == [State.OPEN]
        clock.now += step
        store.append([batch(1, 1)], NO_REQUESTS)
        assert [segment.state for segment in store.segments] == [State.SEALING, State.OPEN]
        assert numbers(store) == [0, 1]


def test_a_segment_closes_early_when_it_holds_its_share_of_the_disk_budget(tmp_path):
    with opened(tmp_path, max_bytes=1 << 20) as (store, _):
        for first in range(20):
            store.append([batch(1, first, attribute_bytes=20_000)], NO_REQUESTS)
        assert len(store.segments) >= 4
        assert numbers(store) == list(range(20))


def test_closing_nothing_is_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        store.close_segment()
        store.close_due_segment(0)
        assert store.segments == ()


def test_a_full_disk_refuses_the_group_and_the_next_one_is_kept(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as (store, _):
        store.append([batch(5)], NO_REQUESTS)
        size = store.segments[0].journal.stat().st_size
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
            with pytest.raises(StoreUnavailable):
                store.append([batch(5, 100)], NO_REQUESTS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        store.append([batch(5, 5)], NO_REQUESTS)
        assert numbers(store) == list(range(10))
        assert len(store.segments) == 1, "the same journal goes on"
        assert damaged(store) == [], "what was refused leaves no gap"
    assert kept_numbers(tmp_path) == list(range(10))


def test_a_journal_that_cannot_be_synced_is_left_for_a_new_one(tmp_path, monkeypatch):
    def failing(_fd: int) -> None:
        raise OSError(errno.EIO, "injected")

    with opened(tmp_path) as (store, _):
        store.append([batch(5)], NO_REQUESTS)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", failing)
            with pytest.raises(StoreUnavailable):
                store.append([batch(5, 100)], NO_REQUESTS)
        store.append([batch(5, 5)], NO_REQUESTS)
        assert [segment.state for segment in store.segments] == [State.SEALING, State.OPEN]
        assert numbers(store) == list(range(10))
        assert damaged(store) == []
    assert kept_numbers(tmp_path) == list(range(10))


def test_a_reader_sees_the_moment_at_which_it_asked_whatever_is_flushed_and_sealed_meanwhile(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in range(0, ROW_GROUP + 500, 1780):
            store.append([batch(1780, first)], NO_REQUESTS)
        total = len(numbers(store))
        with reading(store) as found:
            sources = found.sources(Signal.TRACES)
            flushed(store)
            flushed(store, seal=True)
            assert total == count(found, sources)
            assert total == count(found, found.sources(Signal.TRACES))


def count(found: Reading, sources: list[Source]) -> int:
    texts = (f"SELECT count(*) FROM {s.relation}" + ("" if s.below is None else f" WHERE arrival < {s.below}") for s in sources)
    return sum(found.select(source, Statement(text, []))[0][0] for source, text in zip(sources, texts, strict=True))


def test_every_count_under_load_is_one_that_was_true_while_it_was_made(tmp_path):
    """Whole row groups are flushed and segments sealed while readers count; no row is counted twice or missed."""
    clock, rows, batches = StoppedClock(), 2048, 64  # 131,072 rows: four row groups
    acknowledged, wrong, done = [0], [], threading.Event()

    def read(store: Store) -> None:
        while not done.is_set():
            least = acknowledged[0]
            with reading(store) as found:
                sources = found.sources(Signal.TRACES)
                most = acknowledged[0] + rows
                counted = count(found, sources)
                seen = shown(found)
            if not least <= counted <= most or counted % rows or len(seen) < least or len(seen) % rows or found.damaged:
                wrong.append((least, counted, most, len(seen)))

    with opened(tmp_path, clock) as (store, _):
        flusher = Flusher(store)
        threads = [threading.Thread(target=flusher.run), *(threading.Thread(target=read, args=[store]) for _ in range(2))]
        for thread in threads:
            thread.start()
        try:
            for number in range(batches):
                store.append([batch(rows, number * rows)], NO_REQUESTS)
                acknowledged[0] += rows
                clock.now += 15 * SECOND_NS  # twenty groups a segment: sealed with a rest of half a row group
        finally:
            done.set()
            for thread in threads[1:]:
                thread.join(30)
            store.close_segment()
            flusher.stop()
            threads[0].join(30)
            flusher.drain()
        assert not wrong
        assert numbers(store) == list(range(rows * batches))
        assert {segment.state for segment in store.segments} == {State.SEALED}
    assert kept_numbers(tmp_path) == list(range(rows * batches))


def test_room_is_what_the_rows_in_memory_leave_of_their_bound(tmp_path):
    with opened(tmp_path, tail_bytes=100_000) as (store, _):
        assert store.wait_for_room(0)
        store.append([batch(50, attribute_bytes=4000)], NO_REQUESTS)
        assert not store.wait_for_room(0)
        flushed(store, seal=True)
        assert store.wait_for_room(0)


def test_a_row_past_its_retention_is_not_shown_even_when_its_segment_cannot_be_sealed(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        store.append([batch(5)], NO_REQUESTS)
        store.close_segment()
        clock.now += HOUR_NS + 6 * MINUTE_NS
        assert numbers(store) == []
