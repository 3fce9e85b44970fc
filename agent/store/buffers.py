"""The buffers of a block, each unpacked when it is asked for, of long texts only the frames that are; pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from agent.arrays import Numbers
from agent.store.pack import COMPRESSED, COMPRESSED_QUICKLY, COUNT, ENTRY, FRAME_BYTES, FRAMED, LZ4, PLAIN, ZSTD

_OF_WIDTH = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8")}

_FEW = 32
"""Parts of one text: more of them lie in nearly every frame, and slicing one text costs a quarter."""


_CODECS = {COMPRESSED: ZSTD, COMPRESSED_QUICKLY: LZ4}
_STORED = itemgetter(3)


class Buffers:
    """What ``Packing`` joined."""

    def __init__(self, body: memoryview) -> None:
        (count,) = COUNT.unpack_from(body)
        first = COUNT.size + count * ENTRY.size
        self._entries = list(ENTRY.iter_unpack(body[COUNT.size : first]))
        self._body = body
        self._raw: dict[int, bytes] = {}
        self._frames: dict[int, _Frames] = {}
        self._starts = list(accumulate(map(_STORED, self._entries), initial=first))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)

    @property
    def raw_bytes(self) -> int:
        """What all of them take when they are unpacked."""
        return sum(size for _, _, size, _ in self._entries)

    def raw(self, at: int) -> bytes:
        """One buffer's bytes; unpacked once."""
        if at not in self._raw:
            codec, _, size, _ = self._entries[at]
            if codec == FRAMED:
                self._raw[at] = self._framed(at).part(0, size)
                self._frames.pop(at, None)  # another thread may have done so
            elif codec == PLAIN:
                self._raw[at] = bytes(self._stored(at))
            else:
                self._raw[at] = _CODECS[codec].decompress(self._stored(at), decompressed_size=size, asbytes=True)
        return self._raw[at]

    def parts(self, at: int, lows: Sequence[int], highs: Sequence[int]) -> list[bytes]:
        """The bytes between these bounds of one buffer; of a long text no more is unpacked than the frames they lie in."""
        if at not in self._raw and self._entries[at][0] == FRAMED and len(lows) < _FEW:
            return list(map(self._framed(at).part, lows, highs))
        raw = self.raw(at)
        return [raw[low:high] for low, high in zip(lows, highs, strict=True)]

    def chosen(self, at: int, ends: Numbers, numbers: Numbers) -> pa.BinaryArray:
        """Of one buffer's bytes, which end at ``ends``, those of these numbers; see ``parts``."""
        if len(numbers) < _FEW:
            return pa.array(self.parts(at, ends[numbers].tolist(), ends[numbers + 1].tolist()), pa.binary())
        whole = [None, pa.py_buffer(ends), pa.py_buffer(self.raw(at))]
        return pa.BinaryArray.from_buffers(pa.binary(), len(ends) - 1, whole).take(pa.array(numbers))

    def numbers(self, at: int, count: int, kind: Any = None) -> Numbers:  # noqa: ANN401 what numpy takes for a dtype
        """``count`` numbers, as ``kind`` or as narrow as they were written."""
        values = self._written(at, kind)
        if values is None:
            return np.zeros(count, kind or np.uint8)
        if len(values) == 1 and count != 1:
            values = np.repeat(values, count)
        return values if kind is None else values.astype(kind, copy=False)

    def picked(self, at: int, places: Numbers, kind: Any = None) -> list[Any]:  # noqa: ANN401 what numpy takes for a dtype
        """The numbers at these places."""
        values = self._written(at, kind)
        if values is None:
            values = np.zeros(1, kind or np.uint8)
        if len(values) > 1:
            values = values[places]
        found: list[Any] = values.astype(kind or values.dtype, copy=False).tolist()
        return found if len(found) == len(places) else found * len(places)

    def width(self, at: int) -> int:
        """Bytes of an element of one buffer; 0 for text."""
        return int(self._entries[at][1])

    def is_empty(self, at: int) -> bool:
        """Whether all is 0 there."""
        return not self._entries[at][2]

    def count_of_texts(self, at: int) -> int | None:
        """How many texts the two buffers at ``at`` hold; None when all are empty, of which nothing is written."""
        lengths = self._written(at, None)
        if lengths is None:
            return None
        return len(lengths) if len(lengths) > 1 else self._entries[at + 1][2] // int(lengths[0])

    def texts(self, at: int, kind: pa.DataType, count: int) -> pa.Array:
        """``count`` strings or bytes from the two buffers at ``at``."""
        ends = offsets(self.numbers(at, count))
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(ends), pa.py_buffer(self.raw(at + 1))])

    def _written(self, at: int, kind: Any) -> Numbers | None:  # noqa: ANN401 what numpy takes for a dtype
        """The numbers as they were written: one when all are equal; None when all are 0."""
        _, width, size, _ = self._entries[at]
        if not size:
            return None
        as_wide = kind is not None and np.dtype(kind).itemsize == width
        written: Any = np.dtype(kind) if as_wide else _OF_WIDTH[width]
        return np.frombuffer(self.raw(at), written)

    def _stored(self, at: int) -> memoryview:
        return self._body[self._starts[at] : self._starts[at + 1]]

    def _framed(self, at: int) -> _Frames:
        if at not in self._frames:
            self._frames[at] = _Frames(self._stored(at), self._entries[at][2])
        return self._frames[at]


class _Frames:
    """A long text, frame by frame, each unpacked once."""

    def __init__(self, stored: memoryview, size: int) -> None:
        self._size = size
        self._stored = stored
        self._ends = offsets(np.frombuffer(stored, "<u4", -(-size // FRAME_BYTES))) + -(-size // FRAME_BYTES) * COUNT.size
        self._raw: dict[int, bytes] = {}

    def part(self, low: int, high: int) -> bytes:
        """The bytes ``[low, high)``."""
        number, begin = divmod(low, FRAME_BYTES)
        end = begin + high - low
        if end <= FRAME_BYTES:
            return self._frame(number)[begin:end] if begin < end else b""
        return b"".join(map(self._frame, range(number, -(-high // FRAME_BYTES))))[begin:end]

    def _frame(self, number: int) -> bytes:
        if number not in self._raw:
            size = min(FRAME_BYTES, self._size - number * FRAME_BYTES)
            stored = self._stored[self._ends[number] : self._ends[number + 1]]
            self._raw[number] = ZSTD.decompress(stored, decompressed_size=size, asbytes=True)
        return self._raw[number]


def offsets(sizes: Numbers) -> Numbers:
    """Arrow's offsets of lists or texts of these sizes."""
    ends = np.empty(len(sizes) + 1, np.int32)
    ends[0] = 0
    ends[1:] = sizes
    np.add.accumulate(ends, out=ends)  # of other integers into these takes twice the time
    return ends
