"""Cold columns of a part: small groups become blocks of a good size, in order and without gaps, and go to a file whole."""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.batch import Signal
from agent.store import cold as rooms
from agent.store.block import BLOCK_ROWS, Block, BlockDamaged, Extent, Loose, encode
from agent.store.cold import (
    SMALL_ROWS,
    Cold,
    blocks_of,
    cut_behind,
    places_in,
    read_block,
    sync_file,
    write_blocks,
    written_bytes,
)
from tests.agent.store.drawing import loose
from tests.agent.store.keeping import cold_blocks, overwrite, span_rows
from tests.agent.store.test_journal import file_limit

SIZES = st.integers(1, 40) | st.sampled_from([1, SMALL_ROWS - 1, SMALL_ROWS, BLOCK_ROWS - 1, BLOCK_ROWS, 3 * BLOCK_ROWS])
TRACES, LOGS = Signal.TRACES, Signal.LOGS


def grown(sizes: Sequence[int], *, at_hand: bool = True) -> Cold:
    """A Cold to which groups of these sizes came."""
    found, end = Cold(), 0
    for size in sizes:
        for block, rows in cold_blocks(size, end):
            found = found.appended(block, rows if at_hand else None)
        end += size
    return found


def pieces(cold: Cold) -> list[Block | Loose]:
    return [*cold.waiting, *([cold.loose] if cold.loose else [])]


def states(cold: Cold) -> list[int]:
    """The number that each row says in a cold column."""
    return [int(state) for piece in pieces(cold) for state in piece.column("trace_state").to_pylist()]


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(SIZES, min_size=1, max_size=20), at_hand=st.booleans())
def test_rows_stay_in_order_and_extents_gapless_whatever_the_groups(sizes, at_hand):
    cold = grown(sizes, at_hand=at_hand)
    extents = [piece.extent for piece in pieces(cold)]
    assert (extents[0].first, extents[-1].end) == (0, sum(sizes))
    assert all(first.end == second.first for first, second in itertools.pairwise(extents))
    assert states(cold) == list(range(sum(sizes)))
    assert all(extent.rows <= 2 * BLOCK_ROWS for extent in extents)
    if cold.loose:
        assert cold.loose.extent.rows < BLOCK_ROWS


def test_small_groups_are_joined_before_they_are_packed():
    cold = grown([10] * 500)
    rows = [block.extent.rows for block in cold.waiting]
    assert rows == [2050, 2050]
    assert cold.loose is not None
    assert cold.loose.extent == Extent(TRACES, 4100, 5000, *(cold.loose.extent.min_time_ns, cold.loose.extent.max_time_ns))


def test_a_large_group_ties_what_was_loose_before_it():
    cold = grown([10, 10, BLOCK_ROWS])
    assert [block.extent.rows for block in cold.waiting] == [20, BLOCK_ROWS]
    assert cold.loose is None


def test_wide_rows_do_not_stay_loose(monkeypatch):
    monkeypatch.setattr(rooms, "LOOSE_BYTES", 10_000)
    cold = Cold()
    for first in range(5):
        ((block, rows),) = cold_blocks(1, first, attribute_bytes=4000)
        cold = cold.appended(block, rows)
    assert [block.extent.rows for block in cold.waiting] == [3]
    assert [piece.extent.end for piece in pieces(cold)] == [3, 5]


def test_rows_that_do_not_follow_each_other_are_never_joined():
    cold = Cold()
    for first in (0, 10, 30):
        ((block, rows),) = cold_blocks(10, first)
        cold = cold.appended(block, rows)
    assert [(piece.extent.first, piece.extent.end) for piece in pieces(cold)] == [(0, 20), (30, 40)]
    assert states(cold) == [*range(20), *range(30, 40)]


def test_tied_is_all_of_it_packed_and_tied_twice_is_tied_once():
    cold = grown([10, 20])
    tied = cold.tied()
    assert tied.loose is None
    assert states(tied) == list(range(30))
    assert tied.tied() is tied
    assert Cold().tied() == Cold()


def test_what_a_reader_holds_does_not_change():
    held = grown([10])
    ((block, rows),) = cold_blocks(10, 10)
    held.appended(block, rows)
    held.tied()
    assert states(held) == list(range(10))


def test_the_memory_it_takes_is_counted():
    loose_rows, tied = grown([100]), grown([100]).tied()
    assert loose_rows.loose is not None
    assert loose_rows.waiting_bytes == loose_rows.loose.rows.nbytes
    assert tied.waiting_bytes == sum(len(block.stored) for block in tied.waiting) > 0
    assert Cold().waiting_bytes == 0


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (1024, [1024]), (3071, [3071]), (3072, [1536, 1536]), (5000, [2500, 2500]), (8192, [2048] * 4)],
)
def test_a_group_is_cut_into_blocks_of_about_one_size(count, sizes):
    made = cold_blocks(count, 7)
    assert [block.extent.rows for block, _ in made] == sizes
    assert [block.extent for block, _ in made] == [rows.extent for _, rows in made]
    assert [int(state) for block, _ in made for state in block.column("trace_state").to_pylist()] == list(range(7, 7 + count))


def test_the_times_of_a_block_are_those_of_its_rows():
    rows = span_rows(5000)
    times = rows.column("start_time_ns").to_pylist()
    for block, _ in blocks_of(TRACES, 0, rows, rows.column("start_time_ns")):
        within = times[block.extent.first : block.extent.end]
        assert (block.extent.min_time_ns, block.extent.max_time_ns) == (min(within), max(within))


def written(path: Path) -> list[Block]:
    """A file with blocks of two signals in turn."""
    blocks = [Block(encode(loose(signal, 5, 5 * n))) for n in range(3) for signal in (TRACES, LOGS)]
    cold = Cold(waiting=tuple(blocks[:2]))
    first = write_blocks(path, cold.waiting, 0)
    assert cold.stored(first) == Cold(written=tuple(first))
    write_blocks(path, blocks[2:], written_bytes([cold.stored(first)]))
    sync_file(path)
    return blocks


@pytest.mark.parametrize("checked", [False, True])
def test_what_is_written_is_found_and_read_again(tmp_path, checked):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    assert path.stat().st_mode & 0o777 == 0o600
    places = places_in(path, checked=checked)
    assert {signal: [place.extent.first for place in found] for signal, found in places.items()} == {
        TRACES: [0, 5, 10],
        LOGS: [0, 5, 10],
    }
    with path.open("rb") as file:
        read = [read_block(file.fileno(), place).stored for signal in (TRACES, LOGS) for place in places[signal]]
    assert read == [block.stored for block in (*blocks[::2], *blocks[1::2])]


def test_the_blocks_that_came_while_others_were_written_still_wait(tmp_path):
    cold = grown([BLOCK_ROWS])
    places = write_blocks(tmp_path / "a.blocks", cold.waiting, 0)
    ((block, rows),) = cold_blocks(BLOCK_ROWS, BLOCK_ROWS)
    later = cold.appended(block, rows).stored(places)
    assert later.written_end == BLOCK_ROWS
    assert [piece.extent.first for piece in pieces(later)] == [BLOCK_ROWS]
    assert Cold().written_end == 0


def test_without_a_file_there_are_no_blocks(tmp_path):
    assert places_in(tmp_path / "a.blocks") == {}
    cut_behind(tmp_path / "a.blocks", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("checked", [False, True])
def test_a_cut_anywhere_leaves_the_whole_blocks_before_it_and_the_next_write_follows_them(tmp_path, checked):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    whole = path.read_bytes()
    ends = list(itertools.accumulate(len(block.stored) for block in blocks))
    for cut in sorted({0, 1, 47, 48, 49, *(end + d for end in ends for d in (-1, 0, 1, 50)), len(whole)}):
        path.write_bytes(whole[:cut])
        places = places_in(path, checked=checked)
        intact = sum(end <= cut for end in ends)
        assert sum(map(len, places.values())) == intact
        cut_behind(path, places)
        assert path.stat().st_size == (0, *ends)[intact]
        write_blocks(path, blocks[intact:], path.stat().st_size)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("garbage", [b"\0" * 200, b"CBK1", b"CBK1" + b"\xff" * 200, random.Random(5).randbytes(500)])
def test_garbage_behind_the_last_block_is_cut_off(tmp_path, garbage):
    path = tmp_path / "a.blocks"
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole + garbage)
    places = places_in(path, checked=True)
    assert places == places_in(path)
    cut_behind(path, places)
    assert path.read_bytes() == whole


def test_checking_finds_what_the_heads_do_not_show(tmp_path):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    overwrite(path, len(blocks[0].stored) + 60, lambda old: bytes(byte ^ 1 for byte in old))
    assert sum(map(len, places_in(path).values())) == 6
    places = places_in(path, checked=True)
    assert {signal: len(found) for signal, found in places.items()} == {TRACES: 1}
    broken = places_in(path)[LOGS][0]
    with path.open("rb") as file, pytest.raises(BlockDamaged):
        read_block(file.fileno(), broken)


def test_a_block_file_that_was_removed_or_cut_takes_no_more_blocks(tmp_path):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    size = path.stat().st_size
    for change in (lambda: os.truncate(path, size - 1), path.unlink):
        change()
        with pytest.raises(OSError, match="removed or cut"):
            write_blocks(path, blocks[:1], size)


def test_what_a_failed_write_has_left_is_cut_off_by_the_next(tmp_path):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"half a block")
    write_blocks(path, blocks[:1], len(whole))
    assert path.read_bytes() == whole + blocks[0].stored


def test_a_full_disk_leaves_nothing_of_what_was_being_written(tmp_path):
    path = tmp_path / "a.blocks"
    blocks = written(path)
    size = path.stat().st_size
    for room in (0, 1, len(blocks[0].stored) + 10):
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)), file_limit(size + room):
            write_blocks(path, blocks, size)
        assert path.stat().st_size == size
    assert sum(map(len, places_in(path, checked=True).values())) == 6
