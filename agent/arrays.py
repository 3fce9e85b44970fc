"""Arrow's columns as NumPy sees their buffers: nothing is copied where nothing is null.

A call into Arrow costs 20 to 80 us in a busy agent, whatever it does: the threads on its core keep each other's code out of the
caches. What is done to every column of every group is done here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


def ends_of(values: pa.Array) -> npt.NDArray[np.int32]:
    """The offsets of texts or lists, one more than there are; of an empty array possibly without buffers."""
    if not len(values):
        return np.zeros(1, np.int32)
    return np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]


def sizes_of(values: pa.Array) -> npt.NDArray[np.int32]:
    """Bytes of each text, or elements of each list; 0 for null."""
    ends = ends_of(values)
    sizes = ends[1:] - ends[:-1]
    if values.null_count:
        sizes[nulls_of(values)] = 0
    return sizes


def elements_of(lists: pa.ListArray) -> pa.Array:
    """The elements of all lists; a null has none."""
    if lists.null_count or not len(lists):
        return lists.flatten()
    ends = ends_of(lists)
    first, last = int(ends[0]), int(ends[-1])
    return lists.values.slice(first, last - first)


def parents_of(lists: pa.ListArray) -> npt.NDArray[np.int64]:
    """The index of the list that each of ``elements_of`` stands in."""
    return np.repeat(np.arange(len(lists)), sizes_of(lists))


def nulls_of(values: pa.Array) -> Mask:
    """Which are null."""
    validity = values.buffers()[0]
    if validity is None:
        return np.zeros(len(values), bool)
    return ~_bits(validity, values)


def numbers_of(values: pa.Array) -> Numbers:
    """Values of a fixed width; booleans as bytes; 0 for null."""
    if not len(values):
        return np.zeros(0, np.uint8 if pa.types.is_boolean(values.type) else values.type.to_pandas_dtype())
    data = values.buffers()[1]
    if pa.types.is_boolean(values.type):
        found: Numbers = _bits(data, values).view(np.uint8)
    else:
        found = np.frombuffer(data, values.type.to_pandas_dtype())[values.offset : values.offset + len(values)]
    if values.null_count:
        found = np.where(nulls_of(values), found.dtype.type(0), found)
    return found


def _bits(buffer: pa.Buffer, values: pa.Array) -> Mask:
    octets = np.frombuffer(buffer, np.uint8)[values.offset // 8 : -(-(values.offset + len(values)) // 8)]
    return np.unpackbits(octets, bitorder="little")[values.offset % 8 :][: len(values)].view(np.bool_)


def column_of(values: Numbers, kind: pa.DataType, valid: Mask | None = None) -> pa.Array:
    """Numbers of this type's width as a column, as they lie; null where they are not ``valid``."""
    validity = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def booleans_of(values: Mask) -> pa.Array:
    """Booleans as a column."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little"))])
