"""Arrow columns to compressed buffers; ``unpack.py`` is the way back; pure.

A column becomes the same number of buffers whatever it holds. Integers are written as narrow as they allow, as one element
when all are equal, not at all when all are 0; texts as their lengths and their bytes side by side; before both stands which
values are null. What is under 64 bytes is not compressed.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent.arrays import Numbers, booleans_of, elements_of, ends_of, nulls_of, numbers_of, sizes_of
from agent.store.sieve import sieve_of
from agent.store.tally import marks_of_keys, row_counts

ZSTD = pa.Codec("zstd", compression_level=1)
"""Of rare attributes level 1 makes a fifth in 2.7 ns a byte, level -5 a third in 1.8, lz4 a third in 1.5."""

LZ4 = pa.Codec("lz4_raw")
"""Of codes it makes two fifths in 2 ns a byte and unpacks them in 0.9; ZSTD a quarter in 8 and 4."""

_SMALL = 64
QUICK = 2048
"""Bytes from which ZSTD is worth the 4 to 8 us that it takes to begin."""
ENTRY = struct.Struct("<BBxxII")  # codec, width of an element in bytes (0: text), raw bytes, stored bytes
_NOTHING = ENTRY.pack(0, 1, 0, 0)
COUNT = struct.Struct("<I")
PLAIN, COMPRESSED, FRAMED, COMPRESSED_QUICKLY = 0, 1, 2, 3

FRAME_BYTES = 65_536
"""Longer texts are compressed in frames of so many bytes, each before its stored size: 61 us for a value instead of 200 of a
quarter mebibyte, for 1.4 % more room (of 32 KiB: 31 us, 4.6 %)."""

_NARROW = ((1 << 8, np.dtype("u1")), (1 << 16, np.dtype("u2")), (1 << 32, np.dtype("u4")))

ATTRIBUTE_BUFFERS = 7
"""Sizes, codes, lengths and bytes of the common KeyValues, lengths and bytes of the rare ones, a filter of the rare ones."""

TALLY_BUFFERS = 2
"""Of attributes, behind all columns, where older code passes them by: rows of each common KeyValue, keys of the rare ones."""

SIEVE_MIXED_TWICE = 2
"""The width that stands for a sieve of this code; with 1 it is one of older (``sieve.py``)."""

BYTES_OF_TEXT = 2
"""Which buffer of a column of texts has their bytes, side by side: behind which are null, and their lengths."""


def buffers_of(kind: pa.DataType, *, attributes: bool) -> int:
    """How many buffers a column of this type becomes."""
    if attributes:
        return ATTRIBUTE_BUFFERS
    if pa.types.is_list(kind):
        return 4 if is_text(kind.value_type) else 3
    return 3 if is_text(kind) else 2


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are a length and bytes."""
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


class Packing:
    """Buffers on their way into a block."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        """What the directory says of each."""
        self.stored: list[bytes] = []

    def add(self, raw: memoryview | bytes, width: int, *, quickly: bool = False) -> None:
        """One buffer of elements of this width in bytes; 0 for text. ``quickly``: what many queries unpack."""
        size = len(raw)
        stored, codec = raw, PLAIN
        if size >= _SMALL:
            likely = FRAMED if not width and size > FRAME_BYTES else COMPRESSED
            codec_of = COMPRESSED_QUICKLY if size < QUICK or (quickly and likely is not FRAMED) else likely
            compressed = _COMPRESS[codec_of](raw)
            if len(compressed) < size:
                stored, codec = compressed, codec_of
        self.entries.append(ENTRY.pack(codec, width, size, len(stored)))
        self.stored.append(bytes(stored))

    def numbers(self, values: Numbers, *, quickly: bool = False) -> None:
        """Numbers, integers each as wide as the greatest needs; one element when all are equal, none when all are 0."""
        bits = values if values.dtype.kind != "f" else values.view(np.uint64)  # -0.0 is not nothing
        least, greatest = (int(bits.min()), int(bits.max())) if len(bits) else (0, 0)
        if not least and not greatest:
            self.nothing()
            return
        if bits is values:
            if least == greatest:
                values = values[:1]
            if least >= 0:
                kind = next((kind for bound, kind in _NARROW if greatest < bound), values.dtype)
                values = values.astype(kind, copy=False)
        self.add(np.ascontiguousarray(values).data.cast("B"), values.dtype.itemsize, quickly=quickly)

    def texts(self, values: pa.Array, *, quickly: bool = False) -> None:
        """Strings or bytes, null as empty: their lengths, then all of them side by side."""
        ends, sizes = ends_of(values), sizes_of(values)
        first, last = int(ends[0]), int(ends[-1])
        if values.null_count and int(sizes.sum()) < last - first:  # something lies under the nulls
            self.texts(pc.fill_null(values, pa.scalar("" if pa.types.is_string(values.type) else b"", values.type)))
            return
        if first == last:
            self.nothing(2)
            return
        self.numbers(sizes)
        self.add(memoryview(values.buffers()[2])[first:last], 0, quickly=quickly)

    def nothing(self, buffers: int = 1) -> None:
        """Buffers of what is all 0, or empty."""
        self.entries += [_NOTHING] * buffers

    def parts(self, *behind: Packing) -> list[bytes]:
        """All that was added, here and then to the others, with a directory before it; they go side by side."""
        all_of_it = (self, *behind)
        entries = [entry for one in all_of_it for entry in one.entries]
        return [COUNT.pack(len(entries)) + b"".join(entries), *(stored for one in all_of_it for stored in one.stored)]


def _compressed(raw: memoryview | bytes) -> bytes:
    found: bytes = ZSTD.compress(raw, asbytes=True)
    return found


def _compressed_quickly(raw: memoryview | bytes) -> bytes:
    found: bytes = LZ4.compress(raw, asbytes=True)
    return found


def _framed(raw: memoryview | bytes) -> bytes:
    """The stored sizes of all frames, then the frames."""
    frames = [ZSTD.compress(raw[at : at + FRAME_BYTES], asbytes=True) for at in range(0, len(raw), FRAME_BYTES)]
    return b"".join((*(COUNT.pack(len(frame)) for frame in frames), *frames))


_COMPRESS = {COMPRESSED: _compressed, FRAMED: _framed, COMPRESSED_QUICKLY: _compressed_quickly}


def pack(packing: Packing, column: pa.Array, behind: Packing | None = None) -> None:
    """Add a column's buffers; with ``behind``, where their tally goes, it is a list of KeyValues without nulls."""
    if behind is not None:
        _pack_attributes(packing, column, behind)
        return
    kind, nulls = column.type, column.null_count
    if nulls:
        packing.numbers(nulls_of(column).view(np.uint8))
    else:
        packing.nothing()
    if nulls == len(column):
        packing.nothing(buffers_of(kind, attributes=False) - 1)
    elif pa.types.is_list(kind):
        packing.numbers(sizes_of(column))
        _pack_plain(packing, elements_of(column))
    else:
        _pack_plain(packing, column)


def _pack_plain(packing: Packing, values: pa.Array) -> None:
    if is_text(values.type):
        packing.texts(values)
    else:
        packing.numbers(numbers_of(values))


def _pack_attributes(packing: Packing, lists: pa.ListArray, behind: Packing) -> None:
    encoded = elements_of(lists).dictionary_encode()
    codes = numbers_of(encoded.indices)
    places = codes.astype(np.intp)  # once, and not at each use
    times = np.bincount(places, minlength=len(encoded.dictionary))
    repeated = times > 1
    rank = np.cumsum(repeated, dtype=np.uint16 if len(repeated) < 1 << 16 else np.uint32) * repeated
    sizes = sizes_of(lists)
    packing.numbers(sizes)
    packing.numbers(rank.take(places), quickly=True)
    packing.texts(encoded.dictionary.take(pa.array(np.flatnonzero(repeated))), quickly=True)
    behind.numbers(row_counts(times[repeated], codes, sizes))
    rare = encoded.dictionary.filter(booleans_of(~repeated))
    packing.texts(rare)
    if len(rare):
        wires = ends_of(rare), rare.buffers()[2]
        packing.add(sieve_of(*wires), SIEVE_MIXED_TWICE)
        behind.add(marks_of_keys(*wires), 1)
    else:
        packing.nothing()
        behind.nothing()
