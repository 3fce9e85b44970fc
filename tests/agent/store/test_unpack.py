"""What was packed comes back: every column of every type, all of it and row by row."""

from __future__ import annotations

import math
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.store.buffers import Buffers
from agent.store.pack import FRAME_BYTES, TALLY_BUFFERS, Packing, pack
from agent.store.tally import Forms
from agent.store.unpack import Attributes, pick, unpack
from tests.agent.store.drawing import ATTRIBUTES, FIELDS, KEY_VALUES, columns, sliced

FEW = settings(max_examples=40, deadline=None)


def buffers(column: pa.Array, *, attributes: bool = False) -> Buffers:
    """A column packed, between two others."""
    packing = Packing()
    packing.add(b"before", 1)
    tally = Packing()
    pack(packing, column, tally if attributes else None)
    packing.add(b"behind", 1)
    return Buffers(memoryview(b"".join(packing.parts(tally))))


def kept(rows: list[list[bytes]], *, tally: bool = True) -> Attributes:
    """Attributes as a block has them, or without what tallies them, as one of older code has."""
    packed = buffers(pa.array(rows, KEY_VALUES), attributes=True)
    return Attributes(packed, 1, len(rows), len(packed) - TALLY_BUFFERS if tally else None)


def having(found: Attributes, *wires: bytes) -> list[int]:
    return found.having(Forms(wires)).tolist()


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
    assert [having(found, wire) for wire in (wires[9], wires[-1], b"rare", b"none")] == [[0, 1, 3], [0, 3], [2], []]


@pytest.mark.parametrize("tally", [True, False], ids=["tallied", "of older code"])
@settings(max_examples=60, deadline=None)
@given(rows=ATTRIBUTES, asked=ATTRIBUTES, data=st.data())
@example(rows=[[b"twice", b"twice"], [b"twice"]], asked=[[b"once", b"twice"]], data=None)
@example(rows=[[b"both", b"of them"], [b"both"], [b"of them"]], asked=[[b"both", b"of them"]], data=None)
def test_having_is_a_plain_scan_for_what_is_common_rare_absent_or_a_part_of_another(tally, rows, asked, data):
    found = kept(rows, tally=tally)
    wires = sorted({wire for row in (*rows, *asked) for wire in row} - {b""})
    several = wires if data is None or not wires else data.draw(st.lists(st.sampled_from(wires), unique=True))
    for forms in (*((wire,) for wire in wires), *([tuple(several)] if several else [])):
        places = having(found, *forms)
        assert places == sorted(places)
        there = [index for index, row in enumerate(rows) if not set(forms).isdisjoint(row)]
        assert sorted(set(places)) == there
        assert found.count_having(Forms(forms)) == len(there)


def test_rows_are_counted_without_their_codes_unless_one_has_an_attribute_twice():
    wires = [b"\x0a\x04code\x12\x03\x18%c\x03" % number for number in range(128, 248)]
    rows = [[wires[n % 120], b"service"] for n in range(1000)]
    for sent, is_counted in ((rows, True), ([*rows, [b"service", b"service"]], False)):
        packing, tally = Packing(), Packing()
        pack(packing, pa.array(sent, KEY_VALUES), tally)
        packing.stored[1] = bytes(len(packing.stored[1]))  # the codes do not answer any more
        packed = Buffers(memoryview(b"".join(packing.parts(tally))))
        found = Attributes(packed, 0, len(sent), len(packed) - TALLY_BUFFERS)
        if is_counted:
            assert [found.count_having(Forms((wire,))) for wire in (wires[0], wires[119], b"service", b"none")] == [
                9,
                8,
                1000,
                0,
            ]
        else:
            with pytest.raises(OSError, match="Lz4"):
                found.count_having(Forms((b"service",)))


def test_rare_attributes_are_not_looked_through_for_a_key_that_none_has():
    noise = random.Random(5)
    wires = [[b"\x0a\x0arequest.id\x12\x12\x0a\x10" + noise.randbytes(16)] for _ in range(2000)]
    packing, tally = Packing(), Packing()
    pack(packing, pa.array(wires, KEY_VALUES), tally)
    longest = max(range(len(packing.stored)), key=lambda at: len(packing.stored[at]))
    packing.stored[longest] = bytes(len(packing.stored[longest]))  # the rare ones do not answer any more
    packed = Buffers(memoryview(b"".join(packing.parts(tally))))
    others = [Forms((b"\x0a\x0app.tenant\x12\x03\x0a\x01%c" % number,)) for number in range(200)]
    tallied, untallied = (Attributes(packed, 0, len(wires), at) for at in (len(packed) - TALLY_BUFFERS, None))
    assert not any(tallied.count_having(forms) for forms in others)
    with pytest.raises(OSError, match="ZSTD"):  # one in thirteen is let through by the filter of whole attributes
        sum(untallied.count_having(forms) for forms in others)


@pytest.mark.parametrize("times", [1, 2], ids=["rare", "common"])
def test_a_key_value_inside_another_or_across_two_is_not_found(times):
    rows = [[b"\x0a\x01k\x12\x00", b"ab"], [b"cd", b"", b"xaby"]] * times
    found = kept(rows)
    for wire in (b"bc", b"abcd", b"aby", b"k", b"d", b"b"):
        assert having(found, wire) == []
    assert having(found, b"ab") == [0, 2][:times]
    assert having(found, b"xaby") == [1, 3][:times]


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
        assert index in having(found, column[index].as_py())


def test_a_long_text_is_unpacked_no_further_than_it_is_asked_for():
    texts = pa.array([bytes([number]) * FRAME_BYTES for number in range(4)], pa.binary())
    packing = Packing()
    pack(packing, texts)
    body = bytearray(b"".join(packing.parts()))
    body[-8:] = bytes(8)  # the last frame does not answer any more
    assert pick(Buffers(memoryview(body)), 0, pa.binary(), 4, [2]) == [bytes([2]) * FRAME_BYTES]
    with pytest.raises(OSError, match="ZSTD"):
        pick(Buffers(memoryview(body)), 0, pa.binary(), 4, [3])
