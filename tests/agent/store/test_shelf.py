"""Reading cold columns: any rows by number, any condition; and a damaged block costs its own rows alone."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.batch import Signal
from agent.errors import DeadlinePassed
from agent.store.block import HEAD, Block, Loose, encode
from agent.store.cold import Cold, Place, write_blocks
from agent.store.segment import Bounds, Part, Segment
from agent.store.shelf import Shelf, Taken
from agent.store.statement import Wanted
from agent.store.store import View
from tests.agent.store.drawing import loose
from tests.agent.store.keeping import overwrite

ROWS, PIECES, FIRST = 10, 5, 1000
ALL = range(FIRST, FIRST + ROWS * PIECES)
LOGS = Signal.LOGS


def text(arrival: int) -> str:
    return f"Record {arrival} {'even' if arrival % 2 == 0 else 'odd'}"


def attributes(arrival: int) -> list[bytes]:
    return [b"all", b"own %d" % arrival, *([b"tenth"] if arrival % 10 == 0 else [])]


def rows(first: int) -> Loose:
    """Ten records; the time of each is its number."""
    numbers = range(first, first + ROWS)
    return loose(LOGS, ROWS, first, body_text=list(map(text, numbers)), attributes=list(map(attributes, numbers)))


class Kept:
    """A view whose rows lie in a file (three blocks), in a block that waits, and loose."""

    def __init__(self, directory: Path) -> None:
        self.segment = Segment("1_2_a", directory, 1, 2)
        pieces = [rows(FIRST + ROWS * n) for n in range(PIECES)]
        blocks = tuple(Block(encode(piece)) for piece in pieces[:4])
        self.places: list[Place] = write_blocks(self.segment.blocks, blocks[:3], 0)
        self.cold = Cold(tuple(self.places), blocks[3:], pieces[4])

    def shelf(self, cold: Cold | None = None) -> Shelf:
        part = Part(bounds=Bounds(ROWS * PIECES, FIRST, ALL[-1], 0), cold=cold or self.cold)
        return Shelf(View(self.segment, part, True, True), lambda: None)


@pytest.fixture
def kept(tmp_path) -> Kept:
    return Kept(tmp_path)


@pytest.fixture
def shelf(kept) -> Iterator[Shelf]:
    made = kept.shelf()
    yield made
    made.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.sampled_from(ALL)))
def test_any_rows_are_read_by_their_numbers_wherever_they_lie(shelf, asked):
    found = shelf.rows(asked, ["body_text", "attributes"])
    assert found == {arrival: (text(arrival), attributes(arrival)) for arrival in asked}
    assert not shelf.damaged


def test_numbers_that_are_nowhere_are_missed(shelf):
    found = shelf.rows([FIRST - 1, FIRST, ALL[-1] + 1], ["body_text"])
    assert found == {FIRST: (text(FIRST),)}
    assert shelf.damaged, "a row that was found by its hot columns has lost its cold ones"


CONDITIONS: list[tuple[Wanted, Any]] = [
    (Wanted(), lambda n: True),
    (Wanted(text="even"), lambda n: n % 2 == 0),
    (Wanted(text="record 1007 odd"), lambda n: n == 1007),
    (Wanted(text="nowhere"), lambda n: False),
    (Wanted(((b"all",),)), lambda n: True),
    (Wanted(((b"tenth",),)), lambda n: n % 10 == 0),
    (Wanted(((b"own 1013", b"own 1042", b"none"),)), lambda n: n in (1013, 1042)),
    (Wanted(((b"all",), (b"own 1013",))), lambda n: n == 1013),
    (Wanted(((b"tenth",), (b"own 1013",))), lambda n: False),
    (Wanted(((b"tenth",),), "1030"), lambda n: n == 1030),
    (Wanted(((b"ten",),)), lambda n: False),
]


@pytest.mark.parametrize(("wanted", "meets"), CONDITIONS)
def test_rows_are_found_by_what_their_cold_columns_say(shelf, wanted, meets):
    assert shelf.arrivals(wanted).tolist() == [n for n in ALL if meets(n)]
    assert not shelf.damaged


@pytest.mark.parametrize(("wanted", "meets"), CONDITIONS)
@pytest.mark.parametrize(("start", "end"), [(None, None), (1005, 1045), (1010, 1040), (1041, 1042), (1030, None), (None, 1)])
def test_rows_of_blocks_within_the_window_are_counted_and_those_of_others_named(shelf, wanted, meets, start, end):
    blocks = [range(first, first + ROWS) for first in range(FIRST, ALL[-1], ROWS)]
    within = [one for one in blocks if (start is None or start <= one[0]) and (end is None or end > one[-1])]
    over = [one for one in blocks if (start is None or start <= one[-1]) and (end is None or end > one[0])]
    count, others = shelf.count(replace(wanted, start_ns=start, end_ns=end))
    assert count == sum(meets(n) for one in within for n in one)
    assert others.tolist() == [n for one in over if one not in within for n in one if meets(n)]


@pytest.mark.parametrize(
    ("start", "end", "opened"),
    [(None, None, True), (1029, None, True), (1030, None, False), (None, 1001, True), (None, 1000, False)],
)
def test_blocks_without_a_row_in_the_window_are_not_read(kept, start, end, opened):
    kept.segment.blocks.unlink()  # so that whoever reads a block in it is told
    shelf = kept.shelf()
    shelf.arrivals(Wanted(((b"all",),), "", start, end))
    assert shelf.damaged == opened


def test_a_window_leaves_out_no_row_within_it(shelf):
    for start, end in ((1005, 1006), (1009, 1011), (1010, 1020), (1035, 1049), (None, 1003), (1048, None)):
        found = shelf.arrivals(Wanted(((b"all",),), "", start, end)).tolist()
        assert set(range(start or FIRST, end or ALL[-1] + 1)) <= set(found)


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_damaged_block_costs_its_own_rows_and_is_told(kept, broken):
    place = kept.places[broken]
    overwrite(kept.segment.blocks, place.offset + place.size - 3, lambda old: bytes(byte ^ 4 for byte in old))
    lost = range(place.extent.first, place.extent.end)
    for ask in (lambda s: list(s.rows(ALL, ["body_text"])), lambda s: s.arrivals(Wanted(((b"all",),))).tolist()):
        shelf = kept.shelf()
        assert ask(shelf) == [n for n in ALL if n not in lost]
        assert shelf.damaged
        shelf.close()
    shelf = kept.shelf()
    others = [n for n in ALL if n not in lost]
    assert list(shelf.rows(others, ["body_text"])) == others
    assert not shelf.damaged, "nobody asked for what is lost"
    shelf.close()


def test_a_file_that_lost_its_end_is_told_even_to_who_only_searches(kept):
    shelf = kept.shelf(Cold(tuple(kept.places[:2]), kept.cold.waiting, kept.cold.loose))
    assert shelf.arrivals(Wanted(((b"tenth",),))).tolist() == [1000, 1010, 1030, 1040]
    assert shelf.damaged


def test_a_retired_segment_is_not_damaged(kept):
    kept.segment.retired = True
    kept.segment.blocks.unlink()
    shelf = kept.shelf()
    assert list(shelf.rows(ALL, ["body_text"])) == list(range(1030, 1050))
    assert not shelf.damaged


def test_a_segment_that_is_retired_while_it_is_read_is_read_on(kept):
    shelf = kept.shelf()
    assert len(shelf.rows([FIRST], ["body_text"])) == 1
    kept.segment.retired = True
    kept.segment.blocks.unlink()
    assert len(shelf.rows(ALL, ["body_text"])) == len(ALL)
    shelf.close()


def test_a_missing_file_of_a_segment_that_is_kept_is_damage(kept):
    kept.segment.blocks.unlink()
    shelf = kept.shelf()
    assert list(shelf.rows(ALL, ["body_text"])) == list(range(1030, 1050))
    assert shelf.damaged


def test_a_query_that_must_stop_stops_before_the_next_block(kept):
    left = [2]

    def check() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise DeadlinePassed("late")

    part = Part(bounds=Bounds(ROWS * PIECES, FIRST, ALL[-1], 0), cold=kept.cold)
    shelf = Shelf(View(kept.segment, part, True, True), check)
    with pytest.raises(DeadlinePassed):
        shelf.rows(ALL, ["body_text"])
    shelf.close()


def test_the_file_is_opened_once_and_closed(kept):
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 numbers, not paths
    shelf = kept.shelf()
    for _ in range(3):
        shelf.rows(ALL, ["body_text"])
    assert len(set(os.listdir("/proc/self/fd")) - before) == 1  # noqa: PTH208 as above
    shelf.close()
    shelf.close()
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 as above


def test_with_little_room_the_piece_of_the_first_row_is_read_and_the_others_are_left(shelf):
    asked = [1015, 1042, 1003, 1011, 1044]
    taken = shelf.take(asked, ["body_text"], 1)
    assert taken.rows == {arrival: (text(arrival),) for arrival in (1015, 1011)}
    assert taken.left == {1042, 1003, 1044}
    assert not shelf.damaged, "what is left is not lost"


def test_pieces_are_read_in_the_order_of_the_rows_until_the_room_is_used_up(shelf):
    asked = [1042, 1015, 1044, 1003]
    one = shelf.take([1042, 1044], ["body_text", "attributes"], 1 << 20).size
    taken = shelf.take(asked, ["body_text", "attributes"], one + 1)
    assert (list(taken.rows), taken.left) == ([1042, 1044, 1015], {1003})
    assert taken.size > one
    assert shelf.take(asked, ["body_text"], 0) == Taken([], [[]], set(asked), 0)


def test_a_damaged_piece_takes_no_room(kept):
    place = kept.places[0]
    overwrite(kept.segment.blocks, place.offset + place.size - 3, lambda old: bytes(byte ^ 4 for byte in old))
    shelf = kept.shelf()
    taken = shelf.take([1003, 1015, 1042], ["body_text"], 1)
    assert (list(taken.rows), taken.left, shelf.damaged) == ([1015], {1042}, True)
    shelf.close()


def test_what_is_unpacked_of_a_block_that_waits_goes_with_the_query(tmp_path):
    large = loose(LOGS, ROWS, FIRST, body_text=[text(n) * 10_000 for n in range(ROWS)])
    segment = Segment("1_2_a", tmp_path, 1, 2)
    view = View(segment, Part(cold=Cold((), (Block(encode(large)),))), True, True)
    tracemalloc.start()
    try:
        shelf = Shelf(view, lambda: None)
        assert len(shelf.rows(range(FIRST, FIRST + ROWS), ["body_text"])) == ROWS
        shelf.close()
        del shelf
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def searched(kept: Kept, word: str) -> tuple[list[int], bool]:
    """What a text search finds, and whether it says that something could not be read."""
    shelf = kept.shelf()
    found = shelf.arrivals(Wanted(text=word)).tolist()
    shelf.close()
    return found, shelf.damaged


def test_a_block_whose_filter_has_not_the_text_is_not_read(kept):
    for place in kept.places:
        overwrite(kept.segment.blocks, place.offset + HEAD.size, lambda old: bytes(byte ^ 4 for byte in old))
    assert searched(kept, "zebra") == ([], False), "what is damaged cannot have it"
    assert searched(kept, "record 1013") == ([], True)
    assert searched(kept, "record 1034")[0] == [1034]
    assert searched(kept, "zeb") == ([], True), "too short for a filter"


def test_a_damaged_filter_hides_nothing_in_silence(kept):
    place = kept.places[1]
    whole = kept.segment.blocks.read_bytes()
    for at in range(place.offset + place.size - 150, place.offset + place.size):
        kept.segment.blocks.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert searched(kept, "record 1013") == ([], True), at
        assert searched(kept, "record 1023")[0] == [1023], at


def test_blocks_with_and_without_a_filter_are_searched_alike(kept):
    for lasting in (True, False):
        blocks = [Block(encode(rows(FIRST + ROWS * n), lasting=lasting and n != 1)) for n in range(PIECES)]
        kept.segment.blocks.unlink()
        kept.places = write_blocks(kept.segment.blocks, blocks[:3], 0)
        kept.cold = Cold(tuple(kept.places), tuple(blocks[3:4]), rows(FIRST + ROWS * 4))
        for n in ALL:
            assert searched(kept, f"RECORD {n}".lower()) == ([n], False)
        assert searched(kept, "zebra") == ([], False)


def test_a_missing_file_is_told_to_who_searches_for_text(kept):
    kept.segment.blocks.unlink()
    assert searched(kept, "record 1013") == ([], True)
    kept.segment.retired = True
    assert searched(kept, "record 1013") == ([], False)


def test_a_search_that_must_stop_stops_between_filters(kept):
    def check() -> None:
        raise DeadlinePassed("late")

    part = Part(bounds=Bounds(ROWS * PIECES, FIRST, ALL[-1], 0), cold=kept.cold)
    with pytest.raises(DeadlinePassed):
        Shelf(View(kept.segment, part, True, True), check).arrivals(Wanted(text="zebra"))
