"""Healing without a restart: another instance, a file made anew, and what is said when something is lost."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from agent.batch import Signal
from agent.errors import StoreUnavailable
from agent.store.flusher import Flusher
from agent.store.segment import ROW_GROUP
from agent.store.store import Store
from agent.store.watch import look
from tests.agent.store.keeping import NO_REQUESTS, batch, flushed, numbers, opened, reading
from tests.agent.store.test_flusher import fill


def lost_rows(store: Store) -> float:
    return store.grounds.instruments.store_lost_rows.labels(Signal.TRACES)._value.get()


def healed(store: Store) -> None:
    """Do what the flusher's thread would do about faults now."""
    flusher = Flusher(store)
    flusher.heal()
    flusher.drain()


def test_while_another_instance_is_had_reads_are_unavailable_and_writes_go_on(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 100)
        flushed(store, seal=True)
        fill(store, ROW_GROUP + 50, 100)
        flushed(store)
        before = store.connection
        store.suspect()
        with pytest.raises(StoreUnavailable):
            store.cursor()
        store.append([batch(1, ROW_GROUP + 150)], NO_REQUESTS)
        healed(store)
        assert store.connection is not before
        assert numbers(store) == list(range(ROW_GROUP + 151))
        assert store.faults.reason() is None


def test_the_new_instance_waits_for_readers_of_the_old(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        flushed(store, seal=True)
        cursor = store.cursor()
        store.suspect()
        healing = threading.Thread(target=healed, args=(store,))
        healing.start()
        assert store.reopening
        store.release(cursor)
        healing.join(10)
        assert numbers(store) == list(range(10))


def test_rows_that_a_failed_flush_had_committed_are_not_moved_twice(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        (segment,) = store.segments
        before = segment.part(Signal.TRACES)
        flushed(store)
        with store.lock:  # as if the insert had raised after its commit
            segment.parts[Signal.TRACES] = replace(before, cold=segment.part(Signal.TRACES).cold)
        store.suspect(segment.name)
        healed(store)
        assert segment.part(Signal.TRACES).tail_rows == 0
        flushed(store, seal=True)
        assert numbers(store) == list(range(ROW_GROUP))


@pytest.mark.parametrize("kind", ["file", "blocks"])
def test_a_sealed_file_that_is_gone_is_counted_and_the_others_are_served(tmp_path, kind):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        flushed(store, seal=True)
        fill(store, 10, 10)
        getattr(store.segments[0], kind).unlink()
        look(store)
        healed(store)
        assert numbers(store) == list(range(10, 20))
        assert (lost_rows(store), store.retired["damage"]) == (10, 1)


def test_a_journal_that_is_replaced_takes_no_more_rows_and_what_is_in_memory_is_sealed(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        (segment,) = store.segments
        segment.journal.unlink()
        store.append([batch(1, 10)], NO_REQUESTS)
        assert len(list(tmp_path.glob("*.journal"))) == 1, "the row is in a journal that has a name"
        look(store)
        healed(store)
        flushed(store)
        assert numbers(store) == list(range(11))
        assert segment.file.exists()
        assert lost_rows(store) == 0


def test_a_data_file_with_too_few_rows_is_made_anew_before_its_journal_goes(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        flushed(store)
        (segment,) = store.segments
        store.connection.execute(f"DELETE FROM {segment.alias}.spans WHERE arrival % 2 = 0")
        store.close_segment()
        flusher = Flusher(store)
        thread = threading.Thread(target=flusher.run)
        thread.start()
        try:
            with store.lock:
                assert store.changed.wait_for(lambda: store.segments[0].state == "sealed", 10)
        finally:
            flusher.stop()
            thread.join(10)
            flusher.drain()
        assert numbers(store) == list(range(ROW_GROUP))
        with reading(store) as found:
            assert found.damaged == []
