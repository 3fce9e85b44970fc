"""What was packed comes back: every column of every type, all of it and row by row."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.store.buffers import Buffers
from agent.store.pack import FRAME_BYTES, Packing, pack
from agent.store.unpack import Attributes, pick, unpack
from tests.agent.store.drawing import ATTRIBUTES, FIELDS, KEY_VALUES, columns, sliced

FEW = settings(max_examples=40, deadline=None)


def buffers(column: pa.Array, *, attributes: bool = False) -> Buffers:
    """A column packed, between two others."""
    packing = Packing()
    packing.add(b"before", 1)
    pack(packing, column, attributes=attributes)
    packing.add(b"behind", 1)
    return Buffers(memoryview(packing.joined()))


def exactly(values: list[Any]) -> list[Any]:
    """Values that compare as what they are: the two zeros of floating point are two."""
    return [(value, math.copysign(1, value)) if isinstance(value, float) else value for value in values]


@pytest.mark.parametrize("key", FIELDS, ids=lambda key: f"{key[0]}-{key[1]}")
@FEW
@given(data=st.data())
def test_a_column_of_any_field_comes_back_whole_and_row_by_row(key, data):
    column = data.draw(columns(FIELDS[key]))
    packed = buffers(column)
    whole = unpack(packed, 1, column.type, len(column), attributes=False)
    whole.validate(full=True)
    assert whole.type == column.type
    assert exactly(whole.to_pylist()) == exactly(column.to_pylist())
    indices = data.draw(st.lists(st.integers(0, len(column) - 1), max_size=6)) if len(column) else []
    assert exactly(list(pick(packed, 1, column.type, len(column), indices))) == exactly([column[n].as_py() for n in indices])


def test_every_bit_of_a_float_comes_back():
    bits = [0, 1 << 63, 0x7FF8000000000001, 0xFFF0000000000000, 1]
    column = pa.Array.from_buffers(pa.float64(), len(bits), [None, pa.array(bits, pa.uint64()).buffers()[1]])
    whole = unpack(buffers(column), 1, column.type, len(bits), attributes=False)
    assert whole.buffers()[1].to_pybytes() == column.buffers()[1].to_pybytes()


def test_what_lies_under_a_null_is_no_value():
    texts = pa.array(["seen", "hidden", "seen too"])
    masked = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), *texts.buffers()[1:]])
    assert masked.to_pylist() == ["seen", None, "seen too"]
    packed = buffers(masked)
    assert unpack(packed, 1, pa.string(), 3, attributes=False).to_pylist() == ["seen", None, "seen too"]
    assert pick(packed, 1, pa.string(), 3, [2, 1, 0]) == ["seen too", None, "seen"]


@FEW
@given(rows=ATTRIBUTES, before=ATTRIBUTES, data=st.data())
@example(rows=[[b""]], before=[], data=None)
@example(rows=[[], [], [b"once"]], before=[], data=None)
def test_attributes_come_back_whole_and_row_by_row(rows, before, data):
    packed = buffers(sliced(rows, KEY_VALUES, before), attributes=True)
    whole = unpack(packed, 1, KEY_VALUES, len(rows), attributes=True)
    whole.validate(full=True)
    assert (whole.type, whole.to_pylist()) == (KEY_VALUES, rows)
    indices = [0] if data is None else data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if rows else []
    assert list(Attributes(packed, 1, len(rows)).rows(indices)) == [rows[index] for index in indices]


@pytest.mark.parametrize("distinct", [255, 256, 65_535, 65_536, 70_000])
def test_as_many_attributes_as_there_are_come_back_whatever_their_codes_need(distinct):
    wires = [number.to_bytes(3, "big") for number in range(distinct)]
    rows = [wires, wires[:10], [b"rare"], wires[::-1]]
    packed = buffers(pa.array(rows, KEY_VALUES), attributes=True)
    assert unpack(packed, 1, KEY_VALUES, len(rows), attributes=True).to_pylist() == rows
    found = Attributes(packed, 1, len(rows))
    assert [found.having(wire).tolist() for wire in (wires[9], wires[-1], b"rare", b"none")] == [[0, 1, 3], [0, 3], [2], []]


@FEW
@given(rows=ATTRIBUTES, asked=ATTRIBUTES)
def test_having_is_a_plain_scan_for_what_is_common_rare_absent_or_a_part_of_another(rows, asked):
    found = Attributes(buffers(pa.array(rows, KEY_VALUES), attributes=True), 1, len(rows))
    for wire in {wire for row in (*rows, *asked) for wire in row} - {b""}:
        places = found.having(wire).tolist()
        assert places == sorted(places)
        assert sorted(set(places)) == [index for index, row in enumerate(rows) if wire in row]


@pytest.mark.parametrize("times", [1, 2], ids=["rare", "common"])
def test_a_key_value_inside_another_or_across_two_is_not_found(times):
    rows = [[b"\x0a\x01k\x12\x00", b"ab"], [b"cd", b"", b"xaby"]] * times
    found = Attributes(buffers(pa.array(rows, KEY_VALUES), attributes=True), 1, len(rows))
    for wire in (b"bc", b"abcd", b"aby", b"k", b"d", b"b"):
        assert found.having(wire).tolist() == []
    assert found.having(b"ab").tolist() == [0, 2][:times]
    assert found.having(b"xaby").tolist() == [1, 3][:times]


@FEW
@given(data=st.data())
def test_texts_in_frames_come_back_whole_row_by_row_and_searched(data):
    size = data.draw(st.sampled_from([1, 40, 4000, FRAME_BYTES - 1, FRAME_BYTES, 3 * FRAME_BYTES]))
    rows = data.draw(st.integers(1, 6)) + 2 * FRAME_BYTES // size
    wires = [number.to_bytes(4, "big") * -(-size // 4) for number in range(rows)]
    column = pa.array([wire[:size] if size > 3 else bytes([number % 251]) for number, wire in enumerate(wires)], pa.binary())
    indices = data.draw(st.lists(st.integers(0, rows - 1), max_size=4))
    packed = buffers(column)
    assert [column[index].as_py() for index in indices] == pick(packed, 1, pa.binary(), rows, indices)
    assert unpack(packed, 1, pa.binary(), rows, attributes=False) == column
    lists = pa.array([[wire] for wire in column.to_pylist()], KEY_VALUES)
    found = Attributes(buffers(lists, attributes=True), 1, rows)
    assert [[column[index].as_py()] for index in indices] == list(found.rows(indices))
    for index in indices:
        assert index in found.having(column[index].as_py()).tolist()


def test_a_long_text_is_unpacked_no_further_than_it_is_asked_for():
    texts = pa.array([bytes([number]) * FRAME_BYTES for number in range(4)], pa.binary())
    packing = Packing()
    pack(packing, texts, attributes=False)
    body = bytearray(packing.joined())
    body[-8:] = bytes(8)  # the last frame does not answer any more
    assert pick(Buffers(memoryview(body)), 0, pa.binary(), 4, [2]) == [bytes([2]) * FRAME_BYTES]
    with pytest.raises(OSError, match="ZSTD"):
        pick(Buffers(memoryview(body)), 0, pa.binary(), 4, [3])
