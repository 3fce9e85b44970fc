"""Which series a data point belongs to; pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash


def series_of(attributes: pa.ListArray) -> pa.Array:
    """A hash of each point's attributes, the same for the same bytes in the same order."""
    if not len(attributes):
        return pa.array([], pa.uint64())
    elements = attributes.flatten()
    if not len(elements):
        return pa.repeat(pa.scalar(0, pa.uint64()), len(attributes))
    ends = np.frombuffer(elements.buffers()[1], np.int32)[elements.offset :]
    ends = ends[np.asarray(attributes.offsets) - attributes.offsets[0].as_py()]
    whole = pa.Array.from_buffers(pa.binary(), len(attributes), [None, pa.py_buffer(ends), elements.buffers()[2]])
    encoded = whole.dictionary_encode()
    hashes = [xxhash.xxh3_64_intdigest(one) for one in encoded.dictionary.to_pylist()]
    return pa.array(hashes, pa.uint64()).take(encoded.indices)
