"""Columns of every type of the schema, drawn: for the tests of what packs, searches and keeps them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from agent import schema
from agent.batch import Signal
from agent.store.block import Extent, Loose

BOUNDS: dict[pa.DataType, tuple[int, int]] = {
    pa.int32(): (-(2**31), 2**31 - 1),
    pa.int64(): (-(2**63), 2**63 - 1),
    pa.uint32(): (0, 2**32 - 1),
    pa.uint64(): (0, 2**64 - 1),
}


def integers(least: int, greatest: int) -> st.SearchStrategy[int]:
    """Any, those around each width that they may be narrowed to, and the extremes."""
    edges = [edge for power in (0, 7, 8, 16, 31, 32, 63) for edge in (2**power - 1, 2**power, -(2**power))]
    return st.integers(least, greatest) | st.sampled_from([e for e in (*edges, least, greatest) if least <= e <= greatest])


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of a type, few enough different ones that some repeat."""
    if pa.types.is_list(kind):
        return st.lists(values_of(kind.value_type), max_size=4)
    if kind in BOUNDS:
        return integers(*BOUNDS[kind])
    if pa.types.is_float64(kind):
        return st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, float("inf"), 5e-324])
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_string(kind):
        return st.text(max_size=5) | st.sampled_from(["", "a\0b", "grüße 🎉", "x" * 100])
    return st.binary(max_size=5) | st.sampled_from([b"", b"\xff\xfe", b"x" * 100])


def sliced(values: list[Any], kind: pa.DataType, before: list[Any]) -> pa.Array:
    """The values as a slice of a longer array, as a batch that is cut into blocks gives them."""
    return pa.array([*before, *values, *before], kind).slice(len(before), len(values))


@st.composite
def columns(draw: st.DrawFn, field: pa.Field) -> pa.Array:
    """A column of a field: none, one, some or equal values, nulls where the field may have them."""
    one = values_of(field.type)
    if field.nullable:
        one = st.none() | one
    values = draw(st.lists(one, max_size=12) | st.builds(lambda value, n: [value] * n, one, st.integers(1, 200)))
    return sliced(values, field.type, draw(st.lists(one, max_size=3)))


FIELDS = {
    (signal, name): schema.TABLES[signal].field(name)
    for signal in Signal
    for name in schema.COLD[signal]
    if name not in schema.ATTRIBUTES
}
"""Every cold column but those of attributes."""

WIRES = st.sampled_from(
    [
        b"",
        b"k",
        b"key=a",
        b"key=ab",
        b"key=abc",
        b"ey=a",
        b"a",
        b"key=akey=a",
        b"key=a, and longer than a filter looks",
        b"of another key, and longer than a filter looks",
    ]
)
"""KeyValues (any bytes will do) that are prefixes, ends, parts and repetitions of each other."""

ATTRIBUTES = st.lists(st.lists(WIRES | st.binary(max_size=12), max_size=6), max_size=25)
KEY_VALUES = schema.SPANS.field("attributes").type


def _nothing(field: pa.Field) -> object:
    if field.nullable:
        return None
    return [] if pa.types.is_list(field.type) else "" if pa.types.is_string(field.type) else 0


def loose(signal: Signal, count: int, first: int = 0, **columns: list[Any]) -> Loose:
    """Rows of nothing in particular but these columns; their times are their numbers."""
    rows = {}
    for name in schema.COLD[signal]:
        field = schema.TABLES[signal].field(name)
        rows[name] = pa.array(columns.get(name, [_nothing(field)] * count), field.type)
    return Loose(Extent(signal, first, first + count, first, first + count - 1), pa.RecordBatch.from_pydict(rows))
