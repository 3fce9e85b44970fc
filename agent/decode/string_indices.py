"""Indices into a table of strings, which only profiles have: elsewhere they are ignored, and the sender is warned (OTLP 1.10).

An attribute whose key is such an index has no key, and so does not begin with the tag of one: the first bytes of all
attributes are looked at. One whose key is text and whose value is an index is looked for at the end of some. What looks like
one is parsed, up to a number: a warning needs no more. All that is 0.07 µs a span of ten
attributes in a group of 512, and 0.03 in one of 8,192.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from agent.arrays import Mask, Numbers, elements_of, ends_of, parents_of
from agent.decode.columns import LONGEST_KEPT, Flat
from agent.decode.refusals import Check

_KEY_TAG = 0x0A
_INDEX_TAG = 0x40  # of AnyValue.string_value_strindex; the index behind it is one byte
_PARSED = 64
_ENDS = 16


def string_indices(field: str) -> Check:
    """Warns of records with indices in this ``field`` of attributes, in their Resource or in their scope."""

    def bad(flat: Flat) -> Mask | None:
        masks = [mask for mask in (_records(flat.columns.field(field)), _origins(flat)) if mask is not None]
        return functools.reduce(np.bitwise_or, masks) if masks else None

    hint = "with key_strindex or string_value_strindex, which only profiles may have: taken as empty"
    return Check("string_index", hint, bad, keep=True)


def _records(lists: pa.ListArray) -> Mask | None:
    """Which records have one, as far as it is looked for."""
    if not _suspects(lists.values):
        return None
    values = elements_of(lists)
    found = [position for position in _suspects(values) if _is_indexed_attribute(values[position].as_py())]
    if not found:
        return None
    marked = np.zeros(len(lists), bool)
    marked[parents_of(lists)[found]] = True
    return marked


def _suspects(attributes: pa.Array) -> list[int]:
    """Positions of attributes that may have an index, a bounded number of them."""
    count = len(attributes)
    if not count:
        return []
    _, offsets, octets = attributes.buffers()
    if octets is None or not octets.size:
        return []
    starts, view = memoryview(offsets).cast("i")[attributes.offset :], memoryview(octets)
    if count <= _PARSED:
        pairs = itertools.pairwise(starts[: count + 1])
        found = [position for position, (start, end) in enumerate(pairs) if start < end and view[start] != _KEY_TAG]
    else:
        found = _keyless(ends_of(attributes)[:-1], np.frombuffer(octets, np.uint8))
    for position in range(0, count, max(1, count // _ENDS)):
        end = starts[position + 1]
        if end > 1 and view[end - 2] == _INDEX_TAG:
            found.append(position)
    return found


def _keyless(starts: Numbers, octets: Numbers) -> list[int]:
    """Positions of attributes that do not begin with a key, of which empty ones at the end may be some."""
    first = octets.take(starts.astype(np.intp), mode="clip")
    positions: list[int] = np.flatnonzero(first != _KEY_TAG)[:_PARSED].tolist()
    return positions


def _is_indexed_attribute(octets: bytes) -> bool:
    try:
        return _is_indexed([KeyValue.FromString(octets)])
    except DecodeError:
        return False


def _is_indexed(attributes: Iterable[KeyValue]) -> bool:
    return any(one.key_strindex or one.value.WhichOneof("value") == "string_value_strindex" for one in attributes)


def _origins(flat: Flat) -> Mask | None:
    marks = [origin is not None and _is_indexed_origin(origin.resource, origin.scope) for origin in flat.origins]
    return np.array(marks)[flat.scope] if any(marks) else None


@lru_cache(maxsize=2048)
def _is_indexed_origin(resource: bytes | None, scope: bytes | None) -> bool:
    """Of the large ones, which are not remembered, none is looked at."""
    if len(resource or b"") + len(scope or b"") > LONGEST_KEPT:
        return False
    try:
        return _is_indexed(Resource.FromString(resource or b"").attributes) or _is_indexed(
            InstrumentationScope.FromString(scope or b"").attributes
        )
    except DecodeError:
        return False
