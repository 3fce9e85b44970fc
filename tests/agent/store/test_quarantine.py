"""Quarantine keeps to an eighth of the disk budget: the oldest files go first, and each is named in the log."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from agent.instruments import Instruments
from agent.store.quarantine import SHARE, Quarantine
from tests.agent.store.keeping import settings

KIB = 1024


def quarantine(directory: Path, max_bytes: int) -> Quarantine:
    return Quarantine(settings(directory, max_bytes=max_bytes), Instruments(CollectorRegistry()))


def broken(directory: Path, number: int, size: int = 10 * KIB) -> Path:
    """A file of the segment that opened at that time."""
    path = directory / f"{number:020d}_{number + 300:020d}_00000000.duckdb"
    path.write_bytes(bytes(size))
    return path


def kept(directory: Path) -> list[int]:
    return sorted(int(path.name.partition("_")[0]) for path in (directory / "quarantine").iterdir())


def test_the_oldest_go_when_the_share_is_used_up(tmp_path):
    aside = quarantine(tmp_path, SHARE * 30 * KIB)
    with capture_logs() as said:
        for number in (3, 1, 2, 4):
            aside.take([broken(tmp_path, number)], "segment", ValueError())
    assert kept(tmp_path) == [2, 3, 4]
    (dropped,) = [line["file"] for line in said if "dropped" in line["event"]]
    assert dropped.startswith(f"{1:020d}")


def test_one_file_that_is_larger_than_the_share_is_not_kept(tmp_path):
    aside = quarantine(tmp_path, SHARE * KIB)
    aside.take([broken(tmp_path, 1)], "segment", ValueError())
    assert kept(tmp_path) == []


def test_an_original_and_a_copy_count_too(tmp_path):
    aside = quarantine(tmp_path, SHARE * 20 * KIB)
    aside.take([broken(tmp_path, 1)], "segment", ValueError())
    aside.copy(broken(tmp_path, 2))
    aside.keep_original(broken(tmp_path, 3))
    assert kept(tmp_path) == [2, 3]
    assert len(list(tmp_path.glob("*.duckdb"))) == 2, "they stay where they were"
