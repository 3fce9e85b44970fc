"""What a start makes of what the last process left: nothing that was acknowledged is lost, nothing that is damaged hides the rest."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from agent.batch import Receipt, Signal
from agent.instruments import Instruments
from agent.store import database
from agent.store.duplicates import WINDOW_NS, request_rows
from agent.store.segment import ROW_GROUP, State
from agent.store.store import Store
from tests.agent.store.keeping import (
    HOUR_NS,
    NO_REQUESTS,
    StoppedClock,
    batch,
    flushed,
    kept_numbers,
    numbers,
    opened,
    overwrite,
    reading,
)

KEY = b"k" * 16
ROWS = ROW_GROUP + 5000


def fill(store: Store, rows: int = ROWS, first: int = 0) -> None:
    for at in range(first, first + rows, 2048):
        count = min(2048, first + rows - at)
        requests = request_rows([at.to_bytes(16, "big")], [Receipt(count)], store.clock.now_ns())
        store.append([batch(count, at, origin=at // 2048)], requests)


def only(directory: Path, pattern: str) -> Path:
    (path,) = directory.glob(pattern)
    return path


def partial(directory: Path, rows: int = ROWS) -> None:
    """A segment killed while open: one row group in its file, all of it in its journal."""
    with opened(directory) as (store, _):
        fill(store, rows)
        flushed(store)


def sealed(directory: Path, first: int, clock: StoppedClock) -> Path:
    """One more sealed segment of a hundred rows; its file."""
    with opened(directory, clock) as (store, _):
        fill(store, 100, first)
        flushed(store, seal=True)
        return store.segments[-1].file


def quarantined(instruments: Instruments) -> float:
    return instruments.segments_quarantined._value.get()  # type: ignore[no-any-return]  # prometheus_client's private cell


def test_an_empty_directory_is_an_empty_store(tmp_path):
    with opened(tmp_path) as (store, _):
        assert store.segments == ()


@pytest.mark.parametrize("later_ns", [0, WINDOW_NS, HOUR_NS])
def test_a_sealed_file_is_adopted_at_every_start_and_never_set_aside(tmp_path, later_ns):
    # It was: the bounds' fetchone() left a result unfinished, DuckDB 2 refused the query of the requests on the same
    # connection, and a file younger than seven minutes was quarantined, still served once, and gone after the next start.
    clock = StoppedClock()
    files = [sealed(tmp_path, first, clock) for first in (0, 100)]
    clock.now += later_ns
    told = Instruments(CollectorRegistry())
    for _ in range(3):
        with opened(tmp_path, clock, told) as (store, _):
            assert numbers(store) == list(range(200))
            assert [segment.state for segment in store.segments] == [State.SEALED] * 2
    assert quarantined(told) == 0
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("rows", [1, 5000, ROW_GROUP, ROWS])
def test_a_killed_segment_is_read_sealed_and_adopted_exactly(tmp_path, rows):
    partial(tmp_path, rows)
    with opened(tmp_path) as (store, _):
        assert numbers(store) == list(range(rows))
        flushed(store)
        assert numbers(store) == list(range(rows))
        assert [segment.state for segment in store.segments] == [State.SEALED]
        with reading(store) as found:
            (source, *_) = found.sources(Signal.TRACES)
            assert len(found.origins(source.segment, list(range(1 + (rows - 1) // 2048)))) == 1 + (rows - 1) // 2048
    assert not list(tmp_path.glob("*.journal"))
    assert kept_numbers(tmp_path) == list(range(rows))


def test_killed_again_and_again_while_recovering_it_is_still_exact(tmp_path):
    partial(tmp_path)
    for _ in range(3):
        assert kept_numbers(tmp_path) == list(range(ROWS))


@pytest.mark.parametrize("at", [0, 8, 4096, 8192])
def test_a_file_that_does_not_open_beside_its_journal_is_rebuilt(tmp_path, at):
    partial(tmp_path)
    overwrite(only(tmp_path, "*.duckdb"), at, lambda old: bytes(byte ^ 0xFF for byte in old), 64)
    told = Instruments(CollectorRegistry())
    with opened(tmp_path, instruments=told) as (store, _):
        assert numbers(store) == list(range(ROWS))
        flushed(store)
    assert quarantined(told) == 0, "nothing is lost"
    assert kept_numbers(tmp_path) == list(range(ROWS))


def test_a_file_cut_to_nothing_beside_its_journal_is_rebuilt(tmp_path):
    partial(tmp_path)
    only(tmp_path, "*.duckdb").write_bytes(b"")
    assert kept_numbers(tmp_path) == list(range(ROWS))


def test_a_file_that_attaches_but_does_not_answer_beside_its_journal_is_rebuilt(tmp_path):
    partial(tmp_path)
    with duckdb.connect(str(only(tmp_path, "*.duckdb"))) as other:  # as a version with other columns would have left it
        other.execute("DROP TABLE spans")
        other.execute("CREATE TABLE spans (other INTEGER)")
    with opened(tmp_path) as (store, _):
        flushed(store)
    assert kept_numbers(tmp_path) == list(range(ROWS))


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000])
def test_a_corrupt_sealed_file_is_set_aside_and_counted_and_the_others_are_served(tmp_path, damage):
    clock = StoppedClock()
    sealed(tmp_path, 0, clock)
    clock.now += 1
    broken = sealed(tmp_path, 100, clock)
    clock.now += 1
    sealed(tmp_path, 200, clock)
    broken.write_bytes(damage or bytes(broken.stat().st_size))
    told = Instruments(CollectorRegistry())
    with opened(tmp_path, clock, told) as (store, _):
        assert numbers(store) == [*range(100), *range(200, 300)]
    assert quarantined(told) == 1
    assert (tmp_path / "quarantine" / broken.name).exists()
    with opened(tmp_path, clock, told):
        assert quarantined(told) == 1, "it is counted once"


def rot(file: Path, table: str, column: str) -> None:
    """Damage the first block that holds a column's values."""
    with duckdb.connect(str(file), read_only=True) as other:
        text = "SELECT min(block_id) FROM pragma_storage_info(?) WHERE column_name = ? AND block_id >= 0"
        ((block,),) = other.execute(text, [table, column]).fetchall()
    overwrite(file, 3 * 4096 + block * 262_144 + 1000, lambda old: bytes(byte ^ 0xFF for byte in old), 64)


def test_a_file_that_is_set_aside_is_not_served(tmp_path):
    with opened(tmp_path) as (store, _):
        receipts = [Receipt(1, {}, random.Random(n).randbytes(400).hex()) for n in range(2000)]
        store.append([batch(100)], request_rows([n.to_bytes(16, "big") for n in range(2000)], receipts, store.clock.now_ns()))
        flushed(store, seal=True)
        file = store.segments[0].file
    rot(file, "requests", "receipt")
    with opened(tmp_path) as (store, _):
        assert len(numbers(store)) == (100 if file.exists() else 0)


@pytest.mark.parametrize("boot", ["another boot", None])
def test_after_a_reboot_a_file_beside_its_journal_is_rebuilt_so_that_a_torn_block_costs_nothing(tmp_path, boot):
    partial(tmp_path)
    rot(only(tmp_path, "*.duckdb"), "spans", "name")
    if boot is None:
        (tmp_path / "boot").unlink()
    else:
        (tmp_path / "boot").write_text(boot)
    assert kept_numbers(tmp_path) == list(range(ROWS))


def test_a_damaged_journal_gives_its_intact_beginning(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 4096)
        size = store.segments[0].journal.stat().st_size
        fill(store, 4096, 4096)
    overwrite(only(tmp_path, "*.journal"), size + 100, lambda old: bytes(byte ^ 1 for byte in old))
    with opened(tmp_path) as (store, _):
        assert numbers(store) == list(range(4096))
        flushed(store)
    assert kept_numbers(tmp_path) == list(range(4096))


def test_a_file_that_is_no_journal_is_set_aside_and_counted(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
    only(tmp_path, "*.journal").write_bytes(b"something else altogether")
    told = Instruments(CollectorRegistry())
    with opened(tmp_path, instruments=told) as (store, _):
        assert numbers(store) == []
    assert quarantined(told) == 1


def test_rows_in_the_file_keep_an_origin_when_the_journal_beside_it_is_damaged(tmp_path):
    partial(tmp_path)
    overwrite(only(tmp_path, "*.journal"), 200, lambda old: bytes(byte ^ 1 for byte in old))
    with opened(tmp_path) as (store, _), reading(store) as found:
        sources = found.sources(Signal.TRACES)
        shown = numbers(store)
        hashes = sorted({number // 2048 for number in shown})
        assert len(found.origins(sources[0].segment, hashes) if sources else []) == len(hashes)


def test_requests_are_remembered_from_journals_and_files_alike(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        store.append([batch(3)], request_rows([KEY], [Receipt(3, {"r": 1}, "said")], clock.now))
    for seal in (True, False):
        with opened(tmp_path, clock) as (store, recent):
            assert recent.reply(KEY, clock.now + WINDOW_NS) == Receipt(3, {"r": 1}, "said")
            flushed(store, seal=seal)
    clock.now += WINDOW_NS + 1
    with opened(tmp_path, clock) as (_, recent):
        assert recent.reply(KEY, clock.now) is None


@pytest.mark.parametrize("name", ["notes.duckdb", "a_b_c.journal", "1_2.duckdb"])
def test_a_file_that_is_no_segment_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with opened(tmp_path) as (store, _):
        store.append([batch(3)], NO_REQUESTS)
        assert numbers(store) == [0, 1, 2]
    assert (tmp_path / name).read_text() == "mine"


def test_an_empty_journal_is_no_loss_and_goes(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([], NO_REQUESTS)
    with opened(tmp_path) as (store, _):
        assert store.segments == ()
    assert not list(tmp_path.glob("*.journal"))


def test_a_journal_that_was_only_created_is_no_loss_either(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([], NO_REQUESTS)
    only(tmp_path, "*.journal").write_bytes(b"")
    told = Instruments(CollectorRegistry())
    with opened(tmp_path, instruments=told):
        assert quarantined(told) == 0


def test_a_file_without_rows_goes_with_its_damaged_journal(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 10)
        with store.connection.cursor() as cursor:
            database.attach(cursor, store.segments[0])  # killed before the first row was moved
    overwrite(only(tmp_path, "*.journal"), 200, lambda old: bytes(byte ^ 1 for byte in old))
    with opened(tmp_path) as (store, _):
        assert store.segments == ()
    assert not list(tmp_path.glob("*_*")), "the original of the journal is in quarantine"


def test_memory_after_a_replay_is_what_the_rows_in_memory_need(tmp_path):
    partial(tmp_path, 3 * ROW_GROUP)
    before = pa.total_allocated_bytes()
    with opened(tmp_path) as (store, _):
        kept = sum(segment.tail_bytes for segment in store.segments)
        assert pa.total_allocated_bytes() - before <= kept + (8 << 20)
