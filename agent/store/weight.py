"""What the values of columns weigh in memory; pure.

An attribute that rows have in common counts for each of them: in memory it is one, in what is sent it is not.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from agent import schema
from agent.arrays import ends_of
from agent.batch import Signal
from agent.wires import WireLists

ELEMENT_BYTES = 48
"""Of a list's element besides its content: a bytes object's 33, rounded up, and its place in the list."""

UNBOUNDED = sys.maxsize
"""Room for everything."""


def weight(signal: Signal, columns: Mapping[str, Sequence[Any]]) -> int:
    """Bytes that these values take, about; numbers that stand alone count nothing."""
    measures = _MEASURES[signal]
    return sum(measures[name](values) for name, values in columns.items() if name in measures)


def text_bytes(rows: Sequence[Sequence[Any]], texts: Iterable[int]) -> int:
    """Bytes that the texts in these places of rows take."""
    return sum(sum(map(sys.getsizeof, map(itemgetter(place), rows))) for place in texts)


def rows_within(room: int, rows: Sequence[Sequence[Any]], texts: Sequence[int]) -> int:
    """How many of these rows it takes until their texts fill ``room``; all of them when they do not."""
    if text_bytes(rows, texts) < room:
        return len(rows)
    sizes = itertools.accumulate(text_bytes([row], texts) for row in rows)
    return next(number for number, size in enumerate(sizes, 1) if size >= room)


def _of_texts(values: Sequence[Any]) -> int:
    return sum(map(sys.getsizeof, values))  # a str takes up to four bytes a character


def _of_lists(values: Sequence[Any]) -> int:
    return ELEMENT_BYTES * sum(map(len, filter(None, values)))


def _of_wires(values: Sequence[Any]) -> int:
    if isinstance(values, WireLists):
        sizes = np.diff(ends_of(values.table))
        return ELEMENT_BYTES * len(values.places) + int(sizes[values.places].sum())
    return _of_lists(values) + sum(map(len, itertools.chain.from_iterable(filter(None, values))))


def _measure_of(kind: pa.DataType) -> Callable[[Sequence[Any]], int] | None:
    if pa.types.is_list(kind):
        return _of_wires if pa.types.is_binary(kind.value_type) else _of_lists
    return _of_texts if pa.types.is_string(kind) or pa.types.is_binary(kind) else None


_MEASURES = {
    signal: {
        name: measure
        for name, kind in zip(schema.TABLES[signal].names, schema.TABLES[signal].types, strict=True)
        if (measure := _measure_of(kind)) is not None
    }
    for signal in Signal
}
