"""From memory into files: whole row groups, then the rest; and files that go as a whole."""

from __future__ import annotations

import contextlib
import threading

import duckdb
import pytest

from agent.batch import Receipt, Signal
from agent.store.duplicates import request_rows
from agent.store.flusher import Flusher
from agent.store.segment import ROW_GROUP, State
from agent.store.store import Store
from tests.agent.store.keeping import NO_REQUESTS, StoppedClock, batch, flushed, kept_numbers, numbers, opened, reading


def fill(store: Store, rows: int, first: int = 0) -> None:
    for at in range(first, first + rows, 2048):
        store.append([batch(min(2048, first + rows - at), at)], NO_REQUESTS)


def test_nothing_is_flushed_before_a_row_group_is_whole(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP - 1)
        flushed(store)
        assert not list(tmp_path.glob("*.duckdb"))
        fill(store, 1, ROW_GROUP - 1)
        flushed(store)
        (segment,) = store.segments
        part = segment.part(Signal.TRACES)
        assert (part.tail_rows, part.bounds.rows, part.cold.waiting) == (0, ROW_GROUP, ())
        assert part.cold.loose is not None
        assert (part.cold.loose.extent.rows, segment.tail_bytes) == (1, part.cold.waiting_bytes), "too few for a block"
        assert numbers(store) == list(range(ROW_GROUP))


def test_what_is_left_of_a_row_group_stays_in_memory_until_the_segment_is_sealed(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 2 * ROW_GROUP + 10)
        flushed(store)
        (segment,) = store.segments
        assert segment.part(Signal.TRACES).tail_rows == 10
        assert segment.journal.exists(), "the journal still keeps what is in memory"
        flushed(store, seal=True)
        assert (segment.state, segment.part(Signal.TRACES).tail_rows, segment.tail_bytes) == (State.SEALED, 0, 0)
        assert not segment.journal.exists()
        assert not list(tmp_path.glob("*.wal")), "a checkpoint has moved all into the file"
        assert numbers(store) == list(range(2 * ROW_GROUP + 10))
    assert kept_numbers(tmp_path) == list(range(2 * ROW_GROUP + 10))


def test_a_segment_without_rows_leaves_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([], request_rows([b"k" * 16], [Receipt(0)], 0))
        flushed(store, seal=True)
        assert store.segments == ()
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "boot"}


def test_sealing_again_after_it_was_cut_short_doubles_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 3000)
        (segment,) = store.segments
        journal = segment.journal.read_bytes()
        flushed(store, seal=True)
    segment.journal.write_bytes(journal)  # as if the process had died just before it was unlinked
    for _ in range(2):
        with opened(tmp_path) as (store, _):
            assert numbers(store) == list(range(3000))
            flushed(store)
            with reading(store) as found:
                found.sources(Signal.TRACES)
                assert len(found.origins(segment.name, [7])) == 1
            assert not segment.journal.exists()


def test_a_retired_segment_is_gone_with_its_files_and_the_others_stay(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        fill(store, 100)
        flushed(store, seal=True)
        clock.now += 1
        fill(store, 100, 100)
        flushed(store, seal=True)
        oldest, newest = store.segments
        Flusher(store).retire(oldest, "age")
        assert numbers(store) == list(range(100, 200))
        assert {path.name for path in tmp_path.glob("*_*")} == {newest.file.name, newest.blocks.name}
        assert store.retired == {"age": 1}
    assert kept_numbers(tmp_path) == list(range(100, 200))


def test_a_running_flusher_makes_room_and_stops_when_told(tmp_path):
    with opened(tmp_path, tail_bytes=1 << 20) as (store, _):
        flusher = Flusher(store)
        thread = threading.Thread(target=flusher.run)
        thread.start()
        try:
            fill(store, 2 * ROW_GROUP)
            assert store.wait_for_room(10)
        finally:
            flusher.stop()
            thread.join(10)
            flusher.drain()
        assert not thread.is_alive()


def test_spans_that_fill_the_memory_before_a_row_group_are_flushed_too(tmp_path):
    with opened(tmp_path, tail_bytes=8 << 20) as (store, _):
        flusher = Flusher(store)
        thread = threading.Thread(target=flusher.run)
        thread.start()
        try:
            for first in (0, 50, 100):
                store.append([batch(50, first, attribute_bytes=100_000)], NO_REQUESTS)
            assert store.wait_for_room(3), "no room is ever made"
            assert numbers(store) == list(range(150))
        finally:
            flusher.stop()
            thread.join(10)
            flusher.drain()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unexpected_fault_does_not_end_the_flusher_in_silence(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        flusher = Flusher(store)
        real, broken = flusher.flush_due, threading.Event()

        def once() -> None:
            if not broken.is_set():
                broken.set()
                raise MemoryError
            real()

        flusher.flush_due = once  # type: ignore[method-assign]  # the fault is injected here
        thread = threading.Thread(target=flusher.run)
        thread.start()
        store.close_segment()
        try:
            assert broken.wait(5)
            with store.lock:
                assert store.changed.wait_for(lambda: store.segments[0].state is State.SEALED, 3)
        finally:
            flusher.stop()
            thread.join(10)
            flusher.drain()


def test_a_segment_that_cannot_be_detached_now_is_retired_later(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        flushed(store, seal=True)
        (segment,) = store.segments
        flusher = Flusher(store)
        store.connection.execute(f"DETACH {segment.alias}")  # so that the flusher's own fails
        with contextlib.suppress(duckdb.Error):
            flusher.retire(segment, "age")
        assert not segment.file.exists() or segment in store.segments
