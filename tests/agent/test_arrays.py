"""Arrow's columns as NumPy sees them: what Arrow itself says of them, sliced and with nulls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.arrays import booleans_of, column_of, elements_of, ends_of, nulls_of, numbers_of, parents_of, sizes_of

NUMBERS = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
}
TEXTS = st.lists(st.none() | st.binary(max_size=5), max_size=40)
LISTS = st.lists(st.none() | st.lists(st.binary(max_size=3), max_size=4), max_size=40)


def sliced(values: list[object], kind: pa.DataType, before: int) -> pa.Array:
    """With an offset, and nulls before it."""
    return pa.array([None, *values[:1]] * before + values, kind).slice(before * len([None, *values[:1]]))


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
@given(data=st.data(), before=st.integers(0, 9), with_nulls=st.booleans())
def test_numbers_are_those_of_the_column_and_0_for_null(kind, data, before, with_nulls):
    values = data.draw(st.lists(st.none() | NUMBERS[kind] if with_nulls else NUMBERS[kind], max_size=40))
    column = sliced(values, kind, before)
    assert numbers_of(column).tolist() == [0 if value is None else value for value in values]
    assert nulls_of(column).tolist() == [value is None for value in values]


@given(TEXTS, st.integers(0, 9))
def test_sizes_and_ends_of_texts(values, before):
    column = sliced(values, pa.binary(), before)
    assert sizes_of(column).tolist() == [len(value or b"") for value in values]
    ends = ends_of(column)
    assert len(ends) == len(values) + 1
    assert (ends[1:] - ends[:-1]).tolist() == sizes_of(column).tolist()


@given(LISTS, st.integers(0, 9))
def test_elements_and_parents_of_lists_are_those_that_arrow_finds(values, before):
    lists = sliced(values, pa.list_(pa.binary()), before)
    assert sizes_of(lists).tolist() == [len(value or []) for value in values]
    assert elements_of(lists).equals(lists.flatten())
    assert parents_of(lists).tolist() == pc.list_parent_indices(lists).to_pylist()


def test_what_lies_under_a_null_is_not_counted():
    hidden = pa.Array.from_buffers(
        pa.binary(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([0, 3, 4], np.int32)), pa.py_buffer(b"abcd")]
    )
    assert hidden.to_pylist() == [None, b"d"]
    assert sizes_of(hidden).tolist() == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans()), max_size=40))
def test_columns_are_made_of_numbers_and_of_booleans(pairs):
    values, valid = np.array([value for value, _ in pairs], np.uint64), np.array([one for _, one in pairs], bool)
    assert column_of(values, pa.uint64()).to_pylist() == values.tolist()
    assert column_of(values, pa.uint64(), valid).to_pylist() == [value if one else None for value, one in pairs]
    assert booleans_of(valid).to_pylist() == valid.tolist()
