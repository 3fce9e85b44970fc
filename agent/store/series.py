"""Which series a data point belongs to; pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash

from agent.arrays import column_of, elements_of, ends_of, numbers_of


def series_of(attributes: pa.ListArray) -> pa.Array:
    """A hash of each point's attributes, the same for the same bytes in the same order."""
    if not len(attributes):
        return pa.array([], pa.uint64())
    elements = elements_of(attributes)
    if not len(elements):
        return pa.repeat(pa.scalar(0, pa.uint64()), len(attributes))
    lists = ends_of(attributes)
    ends = ends_of(elements)[lists - lists[0]]
    whole = pa.Array.from_buffers(pa.binary(), len(attributes), [None, pa.py_buffer(ends), elements.buffers()[2]])
    encoded = whole.dictionary_encode()
    hashes = [xxhash.xxh3_64_intdigest(one) for one in encoded.dictionary.to_pylist()]
    return column_of(np.array(hashes, np.uint64)[numbers_of(encoded.indices)], pa.uint64())
