"""What the values of columns weigh in memory; pure.

An attribute that rows have in common counts for each of them: in memory it is one, in what is sent it is not.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from agent import schema
from agent.batch import Signal

ELEMENT_BYTES = 48
"""Of a list's element besides its content: a bytes object's 33, rounded up, and its place in the list."""


def weight(signal: Signal, columns: Mapping[str, Sequence[Any]]) -> int:
    """Bytes that these values take, about; numbers that stand alone count nothing."""
    measures = _MEASURES[signal]
    return sum(measures[name](values) for name, values in columns.items() if name in measures)


def _of_texts(values: Sequence[Any]) -> int:
    return sum(map(sys.getsizeof, values))  # a str takes up to four bytes a character


def _of_lists(values: Sequence[Any]) -> int:
    return ELEMENT_BYTES * sum(map(len, filter(None, values)))


def _of_wires(values: Sequence[Any]) -> int:
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
