"""A log of DuckDB's that was left beside its file: cut where it is damaged or set aside; the file is served."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from agent.instruments import Instruments
from agent.store.segment import ROW_GROUP
from tests.agent.store.keeping import flushed, numbers, opened, overwrite
from tests.agent.store.test_recover import fill, only, quarantined


def inverted(old: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in old)


def foreign_log(directory: Path) -> Path:
    """The log of another file."""
    directory.mkdir()
    with duckdb.connect(str(directory / "other")) as other:
        other.execute("CREATE TABLE other (number INTEGER)")
        shutil.copy(directory / "other.wal", directory / "log")
    return directory / "log"


def test_a_foreign_log_beside_a_sealed_file_is_set_aside_by_name_and_the_file_is_served(tmp_path):
    with opened(tmp_path / "store") as (store, _):
        fill(store, 100)
        flushed(store, seal=True)
        wal = store.segments[0].wal
    shutil.copy(foreign_log(tmp_path / "foreign"), wal)
    told = Instruments(CollectorRegistry())
    with capture_logs() as said, opened(tmp_path / "store", instruments=told) as (store, _):
        assert numbers(store) == list(range(100))
    assert (quarantined(told), not wal.exists(), (tmp_path / "store/quarantine" / wal.name).exists()) == (1, True, True)
    assert wal.name in {line.get("file") for line in said}


@pytest.fixture
def killed(tmp_path) -> Path:
    """A directory as a kill leaves it: of a segment of two row groups the file and its log, since its journal is damaged."""
    with opened(tmp_path / "store") as (store, _):
        for first in (0, ROW_GROUP):
            fill(store, ROW_GROUP, first)
            flushed(store)
        shutil.copytree(tmp_path / "store", tmp_path / "killed")
    overwrite(only(tmp_path / "killed", "*.journal"), 200, inverted)
    return tmp_path / "killed"


def test_a_log_that_is_needed_is_cut_at_the_named_byte_and_what_was_before_it_is_served(killed):
    wal = only(killed, "*.wal")
    whole = wal.stat().st_size
    overwrite(wal, whole * 3 // 4, inverted)
    told = Instruments(CollectorRegistry())
    with capture_logs() as said, opened(killed, instruments=told) as (store, _):
        assert numbers(store) == list(range(ROW_GROUP))
    (line,) = [line for line in said if "damaged_at_byte" in line]
    assert line["file"] == wal.name
    assert 0 < line["damaged_at_byte"] <= whole * 3 // 4
    assert (killed / "quarantine" / wal.name).stat().st_size == whole
    assert quarantined(told) == 2, "the log and the journal"


def test_a_log_that_is_intact_is_replayed_whole(killed):
    with opened(killed) as (store, _):
        assert numbers(store) == list(range(2 * ROW_GROUP))
