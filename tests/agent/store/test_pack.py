"""A packed column: a fixed number of buffers, no wider than its values, no longer than they are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import schema
from agent.batch import Signal
from agent.store.pack import ATTRIBUTE_BUFFERS, COUNT, ENTRY, Packing, buffers_of, pack
from tests.agent.store.drawing import ATTRIBUTES, FIELDS, KEY_VALUES, columns


def entries(column: pa.Array, *, attributes: bool = False) -> list[tuple[int, int, int, int]]:
    """The directory of a packed column: codec, width, raw bytes and stored bytes of each buffer."""
    packing = Packing()
    pack(packing, column, Packing() if attributes else None)
    body = b"".join(packing.parts())
    (count,) = COUNT.unpack_from(body)
    found = list(ENTRY.iter_unpack(body[COUNT.size : COUNT.size + count * ENTRY.size]))
    assert len(body) == COUNT.size + count * ENTRY.size + sum(stored for *_, stored in found)
    return found


@pytest.mark.parametrize("key", FIELDS, ids=lambda key: f"{key[0]}-{key[1]}")
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_column_becomes_as_many_buffers_whatever_it_holds(key, data):
    column = data.draw(columns(FIELDS[key]))
    found = entries(column)
    assert len(found) == buffers_of(column.type, attributes=False)
    assert all(stored <= raw for _, _, raw, stored in found), "what does not shrink is left as it is"


@settings(max_examples=15, deadline=None)
@given(rows=ATTRIBUTES)
def test_so_do_attributes(rows):
    assert len(entries(pa.array(rows, KEY_VALUES), attributes=True)) == ATTRIBUTE_BUFFERS


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([0, 255], 1),
        ([0, 256], 2),
        ([1, 65_536], 4),
        ([0, 2**32 - 1], 4),
        ([0, 2**32], 8),
        ([-1, 0], 8),
        ([-(2**63), 2**63 - 1], 8),
    ],
)
def test_numbers_are_as_wide_as_the_widest_needs(values, width):
    _, (_, found, raw, _) = entries(pa.array(values, pa.int64()))
    assert (found, raw) == (width, 2 * width)


@pytest.mark.parametrize(("value", "raw"), [(0, 0), (7, 1), (-7, 8), (2**63 - 1, 8)])
def test_equal_numbers_are_written_once_and_zeros_not_at_all(value, raw):
    assert [found for _, _, found, _ in entries(pa.array([value] * 2048, pa.int64()))] == [0, raw]


def test_a_column_of_nulls_takes_no_room_but_the_word_that_it_is():
    assert sum(stored for *_, stored in entries(pa.nulls(2048, pa.string()))) == 1


def test_a_key_value_is_written_once_however_often_it_stands_there():
    wire = bytes(range(50))
    once = [raw for _, _, raw, _ in entries(pa.array([[wire, wire]], KEY_VALUES), attributes=True)]
    often = [raw for _, _, raw, _ in entries(pa.array([[wire, wire]] * 1000, KEY_VALUES), attributes=True)]
    assert once[3] == often[3] == len(wire)


def test_every_cold_column_has_a_type_that_can_be_packed():
    for signal in Signal:
        for name in schema.COLD[signal]:
            field = schema.TABLES[signal].field(name)
            column = (
                pa.nulls(3, field.type)
                if field.nullable
                else pa.array([[]] * 3 if pa.types.is_list(field.type) else [], field.type)
            )
            assert len(entries(column)) == buffers_of(field.type, attributes=False)
