"""What a start makes of block files: what the journal still holds comes back whole, and damage is told, never hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent.batch import Signal
from agent.instruments import Instruments
from agent.store import database
from agent.store.cold import places_in
from agent.store.segment import ROW_GROUP, State
from tests.agent.store.keeping import (
    NO_REQUESTS,
    StoppedClock,
    batch,
    damaged,
    flushed,
    kept_numbers,
    numbers,
    opened,
    overwrite,
)
from tests.agent.store.test_recover import ROWS, fill, only, partial, quarantined, sealed


def invert(old: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in old)


def middle_of_a_block(path: Path) -> int:
    """A place in the body of the file's third block."""
    place = places_in(path)[Signal.TRACES][2]
    return place.offset + place.size // 2


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut in a head": lambda path: path.write_bytes(path.read_bytes()[: places_in(path)[Signal.TRACES][2].offset + 7]),
    "cut in a block": lambda path: path.write_bytes(path.read_bytes()[: middle_of_a_block(path)]),
    "cut between blocks": lambda path: path.write_bytes(path.read_bytes()[: places_in(path)[Signal.TRACES][2].offset]),
    "a flipped bit": lambda path: overwrite(path, middle_of_a_block(path), invert),
    "a broken head": lambda path: overwrite(path, places_in(path)[Signal.TRACES][2].offset, invert, 4),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "garbage behind": lambda path: path.write_bytes(path.read_bytes() + b"CBK1" + b"\xff" * 100),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_whatever_happens_to_a_block_file_beside_its_journal_the_rows_come_back(tmp_path, damage):
    partial(tmp_path)
    damage(only(tmp_path, "*.blocks"))
    told = Instruments(CollectorRegistry())
    for _ in range(2):  # killed again while recovering
        with opened(tmp_path, instruments=told) as (store, _):
            assert numbers(store) == list(range(ROWS))
            assert damaged(store) == []
    with opened(tmp_path, instruments=told) as (store, _):
        flushed(store)
        assert numbers(store) == list(range(ROWS))
    assert not list(tmp_path.glob("*.journal"))
    assert kept_numbers(tmp_path) == list(range(ROWS))
    assert quarantined(told) == 0, "nothing is lost"


@pytest.mark.parametrize("at", ["insert", "insert_new_origins", "checkpoint"])
def test_killed_between_blocks_and_rows_nothing_is_doubled_or_lost(tmp_path, monkeypatch, at):
    class KilledError(BaseException):
        pass

    def killing(*_: object) -> None:
        raise KilledError

    with opened(tmp_path) as (store, _):
        fill(store)
        with monkeypatch.context() as patched:
            patched.setattr(database, at, killing)
            with pytest.raises(KilledError):
                flushed(store, seal=True)
    for _ in range(2):
        with opened(tmp_path) as (store, _):
            assert numbers(store) == list(range(ROWS))
    with opened(tmp_path) as (store, _):
        flushed(store)
        part = store.segments[0].part(Signal.TRACES)
        assert sum(place.extent.rows for place in part.cold.written) == part.bounds.rows == ROWS
    assert kept_numbers(tmp_path) == list(range(ROWS))


def test_small_groups_that_were_joined_in_the_file_are_told_from_those_that_were_not(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in range(0, ROW_GROUP, 512):
            store.append([batch(512, first)], NO_REQUESTS)
        flushed(store)
        for first in range(ROW_GROUP, ROW_GROUP + 3000, 100):
            store.append([batch(100, first)], NO_REQUESTS)
    for seal in (False, True):
        with opened(tmp_path) as (store, _):
            if seal:
                flushed(store)
            assert numbers(store) == list(range(ROW_GROUP + 3000))
            assert damaged(store) == []
    assert kept_numbers(tmp_path) == list(range(ROW_GROUP + 3000))


def test_a_sealed_segment_with_a_damaged_block_serves_the_other_rows_and_is_named(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        fill(store, 10_000)
        flushed(store, seal=True)
        segment = store.segments[0]
        place = places_in(segment.blocks)[Signal.TRACES][2]
    clock.now += 1
    sealed(tmp_path, 10_000, clock)
    overwrite(segment.blocks, place.offset + place.size // 2, invert)
    lost = range(2 * 2048, 3 * 2048)
    for _ in range(2):
        with opened(tmp_path, clock) as (store, _):
            assert numbers(store) == [number for number in range(10_100) if number not in lost]
            assert damaged(store) == [segment.name]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut in a head", "cut in a block"])
def test_a_sealed_segment_whose_block_file_lost_its_end_serves_what_is_left_and_is_named(tmp_path, damage):
    with opened(tmp_path) as (store, _):
        fill(store, 10_000)
        flushed(store, seal=True)
        segment = store.segments[0]
    DAMAGES[damage](segment.blocks)
    left = 0 if damage in ("missing", "empty") else 4096
    with opened(tmp_path) as (store, _):
        assert numbers(store) == list(range(left))
        assert damaged(store) == [segment.name]


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        ("a broken head", range(2 * 2048, 3 * 2048)),
        ("zeros in the middle", range(2 * 2048, 3 * 2048)),
        ("every head", range(10_000)),
    ],
)
def test_a_damaged_head_hides_no_row_of_another_block(tmp_path, damage, lost):
    with opened(tmp_path) as (store, _):
        fill(store, 10_000)
        flushed(store, seal=True)
        segment = store.segments[0]
    places = places_in(segment.blocks)[Signal.TRACES]
    for place in places if damage == "every head" else places[2:3]:
        overwrite(segment.blocks, place.offset, lambda old: bytes(len(old)), place.size if "middle" in damage else 4)
    with opened(tmp_path) as (store, _):
        assert numbers(store) == [number for number in range(10_000) if number not in lost]
        assert damaged(store) == [segment.name]


def test_rows_whose_journal_is_damaged_and_whose_blocks_are_gone_are_named_and_the_segment_is_sealed(tmp_path):
    partial(tmp_path)
    only(tmp_path, "*.blocks").unlink()
    overwrite(only(tmp_path, "*.journal"), 200, invert)
    with opened(tmp_path) as (store, _):
        name = store.segments[0].name
        assert numbers(store) == []
        assert damaged(store) == [name]
        flushed(store)
        assert [segment.state for segment in store.segments] == [State.SEALED]
        assert damaged(store) == [name]
    with opened(tmp_path) as (store, _):
        assert damaged(store) == [name]


def test_after_a_reboot_blocks_come_from_the_journal_alone(tmp_path):
    partial(tmp_path)
    overwrite(only(tmp_path, "*.blocks"), 5000, invert)
    (tmp_path / "boot").write_text("another boot")
    with opened(tmp_path) as (store, _):
        assert numbers(store) == list(range(ROWS))
        assert damaged(store) == []


def test_a_block_file_left_of_a_retired_segment_goes_without_a_trace(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 100)
        flushed(store, seal=True)
        file = store.segments[0].file
    file.unlink()
    told = Instruments(CollectorRegistry())
    with opened(tmp_path, instruments=told) as (store, _):
        assert store.segments == ()
    assert not list(tmp_path.glob("*_*"))
    assert quarantined(told) == 0


def test_a_file_that_is_set_aside_takes_its_blocks_with_it(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 100)
        flushed(store, seal=True)
        segment = store.segments[0]
    segment.file.write_bytes(b"garbage" * 1000)
    with opened(tmp_path) as (store, _):
        assert numbers(store) == []
    assert {path.name for path in (tmp_path / "quarantine").iterdir()} == {segment.file.name, segment.blocks.name}


def test_a_sealed_segment_knows_its_traces_after_a_start(tmp_path):
    with opened(tmp_path) as (store, _):
        fill(store, 3000)
        assert store.segments[0].part(Signal.TRACES).traces is None
        flushed(store, seal=True)
        made = store.segments[0].part(Signal.TRACES).traces
    assert made is not None
    assert made.may_hold(0), "the trace of every span here"
    assert not all(made.may_hold(other) for other in range(1, 100))
    with opened(tmp_path) as (store, _):
        assert store.segments[0].part(Signal.TRACES).traces == made


def test_a_segment_sealed_by_a_start_knows_its_traces_too(tmp_path):
    partial(tmp_path)
    with opened(tmp_path) as (store, _):
        assert store.segments[0].part(Signal.TRACES).traces is None
        flushed(store)
        assert store.segments[0].part(Signal.TRACES).traces is not None


def test_arrival_numbers_go_on_behind_every_block_there_is(tmp_path):
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        fill(store, 3000)
    clock.now -= 10**15  # a clock that went back is no floor
    with opened(tmp_path, clock) as (store, _):
        store.append([batch(10, 3000)], NO_REQUESTS)
        assert numbers(store) == list(range(3010))
