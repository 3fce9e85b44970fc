"""Files that are removed or replaced under a running store: what is acknowledged stays, what is said is whole or says what it lacks."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from agent.batch import Signal
from agent.errors import StoreUnavailable
from agent.store import database
from agent.store.faults import SegmentFault
from agent.store.flusher import Flusher
from agent.store.healing import SEALED_TRIES, compare
from agent.store.reader import SegmentUnreadable
from agent.store.segment import ROW_GROUP, State
from agent.store.statement import Statement
from agent.store.store import Store
from agent.store.watch import look
from tests.agent.store.keeping import NO_REQUESTS, batch, damaged, flushed, kept_numbers, numbers, opened, overwrite, reading
from tests.agent.store.test_flusher import fill
from tests.agent.store.test_healing import healed, lost_rows


def remade(store: Store) -> None:
    """What the flusher and the writer do about a lost file of the open segment."""
    with pytest.raises(SegmentFault, match="waiting for the writer"):
        healed(store)
    store.close_due_segment(store.clock.now_ns())
    healed(store)


@contextmanager
def held_up(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """One function of the database waits: the first event says that it was called, the second lets it go on."""
    called, may_go = threading.Event(), threading.Event()
    function = getattr(database, name)

    def waiting(*args: object) -> object:
        called.set()
        assert may_go.wait(10)
        return function(*args)

    with monkeypatch.context() as patched:
        patched.setattr(database, name, waiting)
        yield called, may_go


def test_a_query_while_a_file_is_attached_again_answers_whole(tmp_path, monkeypatch):
    # It did not: it left out the rows of the file, with a warning, and 12,200 spans seemed lost.
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP + 50)
        flushed(store)
        store.suspect(store.segments[0].name)
        with held_up(monkeypatch, "attach") as (called, may_go):
            healing = threading.Thread(target=healed, args=(store,))
            healing.start()
            assert called.wait(10)
            assert not store.segments[0].attached
            shown: list[list[int]] = []
            asking = threading.Thread(target=lambda: shown.append(numbers(store)))
            asking.start()
            asking.join(0.1)
            may_go.set()
            healing.join(10)
            asking.join(10)
        assert shown == [list(range(ROW_GROUP + 50))]


def attach_again(store: Store) -> None:
    """As the healer does at the end."""
    (segment,) = store.segments
    with store.connection.cursor() as cursor:
        database.attach(cursor, segment)
    segment.attached = True


@pytest.mark.parametrize("heals", [True, False])
def test_a_statement_that_meets_a_file_being_attached_again_is_asked_once_more(tmp_path, monkeypatch, heals):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        flushed(store)
        (segment,) = store.segments
        with reading(store) as found:
            (source,) = found.sources(Signal.TRACES)
            segment.attached = False
            store.connection.execute(f"DETACH {segment.alias}")
            monkeypatch.setattr(store, "wait_for_healing", lambda: attach_again(store) if heals else None)
            count = Statement(f"SELECT count(*) FROM {source.relation}", [])
            if heals:
                assert found.select(source, count) == [(ROW_GROUP,)]
            else:
                with pytest.raises(SegmentUnreadable):
                    found.select(source, count)


def test_a_file_that_was_made_anew_is_not_suspected_again(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        flushed(store)
        look(store)
        (segment,) = store.segments
        for path in (segment.file, segment.blocks):
            path.unlink()
        look(store)
        assert store.suspects == {segment.name}
        remade(store)
        look(store)
        assert store.suspects == set()
        flushed(store)
        look(store)
        assert store.suspects == set()
        assert numbers(store) == list(range(ROW_GROUP))


def test_blocks_are_not_written_into_another_file(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        flushed(store)
        (segment,) = store.segments
        segment.blocks.unlink()
        fill(store, ROW_GROUP, ROW_GROUP)
        with pytest.raises(OSError, match="removed or cut"):
            flushed(store)
        store.suspect(segment.name)
        remade(store)
        flushed(store)
        assert numbers(store) == list(range(2 * ROW_GROUP))
        assert lost_rows(store) == 0


@pytest.mark.parametrize("kind", ["file", "blocks"])
@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_journal_stays_when_a_file_went_just_before_the_seal(tmp_path, kind, change):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP + 100)
        flushed(store)
        (segment,) = store.segments
        path = getattr(segment, kind)
        if change == "replaced":
            shutil.copy(path, tmp_path / "copy")
        path.unlink()
        if change == "replaced":
            shutil.move(tmp_path / "copy", path)
        store.close_segment()
        flusher = Flusher(store)
        try:
            flusher.flush_due()
        except (SegmentFault, OSError):
            assert segment.journal.exists(), "nothing else has the rows"
        flusher.drain()
        store.suspect(segment.name)
        healed(store)
        flushed(store)
        assert numbers(store) == list(range(ROW_GROUP + 100))
    assert kept_numbers(tmp_path) == list(range(ROW_GROUP + 100))


def test_without_a_journal_what_was_moved_meanwhile_is_not_thrown_away_with_the_files(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 2 * ROW_GROUP)
        (segment,) = store.segments
        for path in tmp_path.glob("*_*"):
            path.unlink()
        for _ in range(3):  # each second until the writer closes it
            look(store)
            healed(store)
            flushed(store)
        assert numbers(store) == list(range(2 * ROW_GROUP))
        store.append([batch(1, 2 * ROW_GROUP)], NO_REQUESTS)
        flushed(store)
        assert numbers(store) == list(range(2 * ROW_GROUP + 1))
        assert segment.state is State.SEALED
        assert lost_rows(store) == 0


def test_a_journal_that_another_file_has_replaced_is_not_replayed(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        (segment,) = store.segments
        flushed(store)
        fill(store, 100, ROW_GROUP)
        for path in (segment.file, segment.journal):
            path.unlink()
            path.write_bytes(b"")
        look(store)
        healed(store)
        flushed(store)
        assert numbers(store) == list(range(ROW_GROUP, ROW_GROUP + 100)), "what was still in memory"
        assert lost_rows(store) == ROW_GROUP


def test_a_damaged_block_of_a_sealed_segment_does_not_cost_the_segment_when_the_instance_is_made_anew(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10_000)
        flushed(store, seal=True)
        (segment,) = store.segments
        overwrite(segment.blocks, segment.part(Signal.TRACES).cold.written[1].offset, lambda old: bytes(4), 4)
        store.suspect()
        healed(store)
        assert numbers(store) == [*range(2048), *range(2 * 2048, 10_000)]
        assert damaged(store) == [segment.name]
        assert lost_rows(store) == 0


def test_a_sealed_file_that_a_query_still_reads_is_not_given_up(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 5000)
        flushed(store, seal=True)
        (segment,) = store.segments
        cursor = store.cursor()
        cursor.execute(f"SELECT * FROM {segment.alias}.spans").fetchone()
        store.suspect(segment.name)
        for _ in range(SEALED_TRIES + 1):
            with pytest.raises(duckdb.ResourceInUseException):
                healed(store)
        store.release(cursor)
        healed(store)
        assert numbers(store) == list(range(5000))


def test_one_segment_that_cannot_be_healed_yet_keeps_nobody_from_the_next(tmp_path, monkeypatch):
    with opened(tmp_path) as (store, _):
        for first in (0, 100):
            fill(store, 100, first)
            flushed(store, seal=True)
        older, newer = store.segments
        attach = database.attach

        def failing(cursor, segment):
            if segment is older:
                raise OSError("not now")
            attach(cursor, segment)

        store.suspect(older.name, newer.name)
        with monkeypatch.context() as patched:
            patched.setattr(database, "attach", failing)
            with pytest.raises(OSError, match="not now"):
                healed(store)
        assert newer.attached
        assert store.suspects == {older.name}
        healed(store)
        assert numbers(store) == list(range(200))


def test_a_segment_of_which_nothing_was_moved_yet_compares_well(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, ROW_GROUP)
        flushed(store)
        with store.connection.cursor() as cursor:
            compare(cursor, store.segments[0])
            store.segments[0].file.unlink()
            with pytest.raises(SegmentFault, match="removed or replaced"):
                compare(cursor, store.segments[0])


def test_no_query_begins_once_the_store_is_closing(tmp_path):
    with opened(tmp_path) as (store, _):
        pass
    with pytest.raises(StoreUnavailable):
        store.cursor()
