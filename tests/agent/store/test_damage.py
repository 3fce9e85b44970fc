"""Fifty cuts and fifty flipped bytes in real files: every start succeeds, and costs only what was damaged."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from agent.instruments import Instruments
from tests.agent.store.keeping import NO_REQUESTS, batch, flushed, numbers, opened, overwrite

ROWS, PER_GROUP = 1200, 50


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """One sealed segment and one with a journal, of spans 0 to 1199 and 1200 to 2399."""
    directory = tmp_path_factory.mktemp("kept")
    with opened(directory) as (store, _):
        for first in range(0, 2 * ROWS, PER_GROUP):
            if first == ROWS:
                flushed(store, seal=True)
            store.append([batch(PER_GROUP, first)], NO_REQUESTS)
    return directory


def after(files: Path, tmp_path: Path, number: int, kind: str, damage) -> tuple[list[int], float]:
    """What a start finds after damage to the file of that kind, and how many files it has set aside."""
    directory = tmp_path / str(number)
    shutil.copytree(files, directory)
    (path,) = directory.glob(f"*.{kind}")
    damage(path)
    instruments = Instruments(CollectorRegistry())
    with opened(directory, instruments=instruments) as (store, _):
        found = numbers(store)
    shutil.rmtree(directory)
    return found, instruments.segments_quarantined._value.get()


def test_a_journal_cut_anywhere_gives_back_its_exact_prefix(files, tmp_path):
    dice = random.Random(1)
    (journal,) = files.glob("*.journal")
    size = journal.stat().st_size
    for number in range(50):
        cut = dice.randrange(size)
        found, _ = after(files, tmp_path, number, "journal", lambda path, cut=cut: os.truncate(path, cut))
        assert found == list(range(len(found))), "not a prefix"
        assert len(found) >= ROWS, "the sealed segment is not touched"
        assert abs(len(found) - ROWS - ROWS * cut / size) <= 2 * PER_GROUP, "more is lost than was cut off"


def test_a_flipped_byte_in_a_journal_costs_what_is_behind_it_and_the_original_is_kept(files, tmp_path):
    dice = random.Random(2)
    (journal,) = files.glob("*.journal")
    size, kept = journal.stat().st_size, 0.0
    for number in range(50):
        at = dice.randrange(size)
        flip = lambda path, at=at: overwrite(path, at, lambda byte: bytes([byte[0] ^ 0x10]))  # noqa: E731 a case of a table
        found, aside = after(files, tmp_path, number, "journal", flip)
        kept += aside
        assert found == list(range(len(found)))
        assert len(found) >= ROWS
        assert len(found) <= ROWS + PER_GROUP + ROWS * at / size
    assert kept >= 45, "a size that is damaged looks like a frame that was cut short"


def test_a_flipped_byte_in_blocks_shows_no_wrong_row(files, tmp_path):
    dice = random.Random(3)
    (blocks,) = files.glob("*.blocks")
    size = blocks.stat().st_size
    for number in range(25):
        at = dice.randrange(size)
        flip = lambda path, at=at: overwrite(path, at, lambda byte: bytes([byte[0] ^ 0x10]))  # noqa: E731 a case of a table
        found, _ = after(files, tmp_path, number, "blocks", flip)
        assert found[-ROWS:] == list(range(ROWS, 2 * ROWS)), "the other segment is served"


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("journal", lambda path: path.write_bytes(path.read_bytes() + bytes(5000))),
        ("duckdb", lambda path: path.write_bytes(b"")),
        ("duckdb", lambda path: path.write_bytes(random.Random(4).randbytes(300_000))),
        ("duckdb", lambda path: path.write_bytes(path.read_bytes()[:5000])),
    ],
    ids=["a zeroed tail", "an empty file", "garbage", "half a header"],
)
def test_other_damage_costs_its_own_segment_at_most(files, tmp_path, kind, damage):
    found, aside = after(files, tmp_path, 0, kind, damage)
    if kind == "journal":
        assert (found, aside) == (list(range(2 * ROWS)), 1)
    else:
        assert (found, aside) == (list(range(ROWS, 2 * ROWS)), 1)
