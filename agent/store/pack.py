"""Arrow columns to compressed buffers and back; pure.

A column becomes the same number of buffers whatever it holds. Integers are written as narrow as they allow, as one element
when all are equal; texts as their lengths and their bytes side by side. What is under 64 bytes is not compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from agent.store.sieve import may_hold, sieve_of

Numbers = npt.NDArray[Any]

_ZSTD = pa.Codec("zstd", compression_level=1)
"""Of rare attributes level 1 makes a fifth in 2.7 ns a byte, level -5 a third in 1.8, lz4 a third in 1.5."""

_SMALL = 64
_ENTRY = struct.Struct("<BBxxII")  # codec, width of an element in bytes (0: text), raw bytes, stored bytes
_COUNT = struct.Struct("<I")
_PLAIN, _COMPRESSED = 0, 1

_NARROW = ((1 << 8, np.dtype("u1")), (1 << 16, np.dtype("u2")), (1 << 32, np.dtype("u4")))
_OF_WIDTH = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8")}

ATTRIBUTE_BUFFERS = 7
"""Sizes, codes, lengths and bytes of the common KeyValues, lengths and bytes of the rare ones, a filter of the rare ones."""

_KEY_VALUES = pa.list_(pa.field("item", pa.binary(), nullable=False))


def buffers_of(kind: pa.DataType, *, attributes: bool) -> int:
    """How many buffers a column of this type becomes."""
    if attributes:
        return ATTRIBUTE_BUFFERS
    if pa.types.is_list(kind):
        return 4 if _is_text(kind.value_type) else 3
    return 3 if _is_text(kind) else 2


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


class Packing:
    """Buffers on their way into a block."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._stored: list[bytes] = []

    def add(self, raw: memoryview | bytes, width: int) -> None:
        """One buffer of elements of this width in bytes; 0 for text."""
        size = len(raw)
        stored, codec = raw, _PLAIN
        if size >= _SMALL:
            compressed = _ZSTD.compress(raw, asbytes=True)
            if len(compressed) < size:
                stored, codec = compressed, _COMPRESSED
        self._entries.append(_ENTRY.pack(codec, width, size, len(stored)))
        self._stored.append(bytes(stored))

    def numbers(self, values: Numbers) -> None:
        """Numbers, integers each as wide as the greatest needs; one element when all are equal."""
        if values.size and values.dtype.kind in "iu":
            least, greatest = int(values.min()), int(values.max())
            if least == greatest:
                values = values[:1]
            if least >= 0:
                kind = next((kind for bound, kind in _NARROW if greatest < bound), values.dtype)
                values = values.astype(kind, copy=False)
        self.add(np.ascontiguousarray(values).data.cast("B") if values.size else b"", values.dtype.itemsize)

    def texts(self, values: pa.Array) -> None:
        """Strings or bytes without nulls: their lengths, then all of them side by side."""
        ends = _ends(values)
        self.numbers(np.diff(ends))
        data = values.buffers()[2]
        self.add(memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None else b"", 0)

    def joined(self) -> bytes:
        """All that was added, with a directory before it."""
        return b"".join([_COUNT.pack(len(self._entries)), *self._entries, *self._stored])


def _ends(values: pa.Array) -> Numbers:
    """The offsets of texts or lists, one more than there are; of an empty array possibly without buffers."""
    if not len(values):
        return np.zeros(1, np.int32)
    return np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]


def _numbers(values: pa.Array) -> Numbers:
    """A view of fixed-width values without nulls; booleans as bytes."""
    if pa.types.is_boolean(values.type):
        return np.asarray(values).view(np.uint8)
    return np.asarray(values)


def pack(packing: Packing, column: pa.Array, *, attributes: bool) -> None:
    """Add a column's buffers; ``attributes`` says that it is a list of KeyValues, without nulls."""
    if attributes:
        _pack_attributes(packing, column)
        return
    kind, nulls = column.type, column.null_count
    packing.numbers(_numbers(column.is_valid()) if nulls else np.zeros(0, np.uint8))
    if nulls and nulls == len(column):
        for _ in range(buffers_of(kind, attributes=False) - 1):
            packing.add(b"", 1)
    elif pa.types.is_list(kind):
        packing.numbers(_sizes(column))
        _pack_plain(packing, column.flatten())  # a null has no elements
    else:
        _pack_plain(packing, pc.fill_null(column, _zero(kind)) if nulls else column)


def _sizes(lists: pa.ListArray) -> Numbers:
    if lists.null_count:
        return _numbers(pc.fill_null(pc.list_value_length(lists), pa.scalar(0, pa.int32())))
    return np.diff(_ends(lists))


def _zero(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar("" if pa.types.is_string(kind) else b"" if pa.types.is_binary(kind) else 0, kind)


def _pack_plain(packing: Packing, values: pa.Array) -> None:
    if _is_text(values.type):
        packing.texts(values)
    else:
        packing.numbers(_numbers(values))


def _pack_attributes(packing: Packing, lists: pa.ListArray) -> None:
    encoded = lists.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy()
    repeated = np.bincount(codes, minlength=len(encoded.dictionary)) > 1
    rank = np.where(repeated, np.cumsum(repeated), 0)
    packing.numbers(_sizes(lists))
    packing.numbers(rank.astype(np.uint16 if len(rank) < 1 << 16 else np.uint32)[codes])
    packing.texts(encoded.dictionary.filter(pa.array(repeated)))
    rare = encoded.dictionary.filter(pa.array(~repeated))
    packing.texts(rare)
    packing.add(sieve_of(_ends(rare), rare.buffers()[2]), 1)


class Buffers:
    """The buffers of a block, unpacked when they are asked for."""

    def __init__(self, body: memoryview) -> None:
        (count,) = _COUNT.unpack_from(body)
        first = _COUNT.size + count * _ENTRY.size
        self._entries = list(_ENTRY.iter_unpack(body[_COUNT.size : first]))
        self._body = body
        self._raw: dict[int, bytes] = {}
        self._starts = [first]
        for _, _, _, stored in self._entries:
            self._starts.append(self._starts[-1] + stored)

    def raw(self, at: int) -> bytes:
        """One buffer's bytes; unpacked once."""
        if at not in self._raw:
            codec, _, size, _ = self._entries[at]
            stored = self._body[self._starts[at] : self._starts[at + 1]]
            plain = codec == _PLAIN
            self._raw[at] = bytes(stored) if plain else _ZSTD.decompress(stored, decompressed_size=size, asbytes=True)
        return self._raw[at]

    def numbers(self, at: int, count: int, kind: Any = None) -> Numbers:  # noqa: ANN401 what numpy takes for a dtype
        """``count`` numbers, as ``kind`` or as narrow as they were written."""
        width = self._entries[at][1]
        as_wide = kind is not None and np.dtype(kind).itemsize == width
        written: Any = np.dtype(kind) if as_wide else _OF_WIDTH[width]
        values: Numbers = np.frombuffer(self.raw(at), written)
        if len(values) == 1 and count != 1:
            values = np.repeat(values, count)
        return values if kind is None else values.astype(kind, copy=False)

    def is_empty(self, at: int) -> bool:
        """Whether nothing was written there."""
        return not self._entries[at][2]

    def ends(self, at: int) -> Numbers:
        """The offsets of the texts whose lengths are at ``at``, as many as were written."""
        return offsets(self.numbers(at, self._written(at, self._entries[at + 1][2])))

    def texts(self, at: int, kind: pa.DataType, count: int) -> pa.Array:
        """``count`` strings or bytes from the two buffers at ``at``."""
        ends = offsets(self.numbers(at, count))
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(ends), pa.py_buffer(self.raw(at + 1))])

    def _written(self, at: int, size: int) -> int:
        """Equal lengths are written once: then the bytes say how many there are."""
        _, width, raw, _ = self._entries[at]
        count = raw // width
        length = int(self.numbers(at, 1)[0]) if count == 1 else 0
        return size // length if length else count


def offsets(sizes: Numbers) -> Numbers:
    """Arrow's offsets of lists or texts of these sizes."""
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return ends


def unpack(buffers: Buffers, at: int, kind: pa.DataType, rows: int, *, attributes: bool) -> pa.Array:
    """The column of this type whose buffers begin at ``at``."""
    if attributes:
        return _attributes(buffers, at, rows)
    valid = None if buffers.is_empty(at) else buffers.numbers(at, rows).astype(bool)
    if valid is not None and not valid.any():
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        ends = offsets(buffers.numbers(at + 1, rows))
        starts = pa.array(ends, mask=None if valid is None else np.append(~valid, False))
        return pa.ListArray.from_arrays(starts, _values(buffers, at + 2, kind.value_type, int(ends[-1])), type=kind)
    values = _values(buffers, at + 1, kind, rows)
    return values if valid is None else pc.if_else(pa.array(valid), values, pa.scalar(None, kind))


def _values(buffers: Buffers, at: int, kind: pa.DataType, count: int) -> pa.Array:
    if _is_text(kind):
        return buffers.texts(at, kind, count)
    return pa.array(buffers.numbers(at, count, kind.to_pandas_dtype()), kind)


class Attributes:
    """A column of attributes, of which only what is asked for is unpacked."""

    def __init__(self, buffers: Buffers, at: int, rows: int) -> None:
        self._buffers = buffers
        self._at = at
        self._ends = offsets(buffers.numbers(at, rows))
        self._codes = buffers.numbers(at + 1, int(self._ends[-1]))

    def having(self, wire: bytes) -> Numbers:
        """The indices of the rows in which this very KeyValue stands, ascending, perhaps repeated."""
        common = self._position(self._at + 2, wire)
        if common is not None:
            places = np.flatnonzero(self._codes == common + 1)
        elif may_hold(self._buffers.raw(self._at + 6), wire):
            rare = self._position(self._at + 4, wire)
            places = np.flatnonzero(self._codes == 0)[[] if rare is None else [rare]]
        else:
            return np.zeros(0, np.int64)
        return np.searchsorted(self._ends, places, side="right") - 1

    def _position(self, at: int, wire: bytes) -> int | None:
        """Which of the texts at ``at`` it is."""
        raw = self._buffers.raw(at + 1)
        place = raw.find(wire)
        if place < 0:
            return None
        ends = self._buffers.ends(at)
        while place >= 0:
            number = int(np.searchsorted(ends, place))
            if ends[number] == place and ends[number + 1] == place + len(wire):
                return number
            place = raw.find(wire, place + 1)
        return None

    def rows(self, indices: Sequence[int]) -> list[list[bytes]]:
        """The KeyValues of these rows, in wire form."""
        common, rare = (self._buffers.raw(self._at + number) for number in (3, 5))
        common_ends, rare_ends = (self._buffers.ends(self._at + number).tolist() for number in (2, 4))
        called = np.concatenate(([0], np.cumsum(self._codes == 0)))
        known: dict[int, bytes] = {}
        found = []
        for index in indices:
            low, high = int(self._ends[index]), int(self._ends[index + 1])
            next_rare = int(called[low])
            row = []
            for code in self._codes[low:high].tolist():
                if not code:
                    row.append(rare[rare_ends[next_rare] : rare_ends[next_rare + 1]])
                    next_rare += 1
                    continue
                if code not in known:
                    known[code] = common[common_ends[code - 1] : common_ends[code]]
                row.append(known[code])
            found.append(row)
        return found


def _attributes(buffers: Buffers, at: int, rows: int) -> pa.ListArray:
    return pa.array(Attributes(buffers, at, rows).rows(range(rows)), _KEY_VALUES)
