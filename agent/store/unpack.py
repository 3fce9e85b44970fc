"""Compressed buffers back to columns, or to single rows of them; ``pack.py`` is the way there; pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent.store.pack import COUNT, ENTRY, PLAIN, ZSTD, Numbers, is_text
from agent.store.sieve import may_hold

_OF_WIDTH = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8")}
_KEY_VALUES = pa.list_(pa.field("item", pa.binary(), nullable=False))


class Buffers:
    """The buffers of a block, unpacked when they are asked for."""

    def __init__(self, body: memoryview) -> None:
        (count,) = COUNT.unpack_from(body)
        first = COUNT.size + count * ENTRY.size
        self._entries = list(ENTRY.iter_unpack(body[COUNT.size : first]))
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
            plain = codec == PLAIN
            self._raw[at] = bytes(stored) if plain else ZSTD.decompress(stored, decompressed_size=size, asbytes=True)
        return self._raw[at]

    def numbers(self, at: int, count: int, kind: Any = None) -> Numbers:  # noqa: ANN401 what numpy takes for a dtype
        """``count`` numbers, as ``kind`` or as narrow as they were written."""
        _, width, size, _ = self._entries[at]
        if not size:
            return np.zeros(count, kind or np.uint8)
        as_wide = kind is not None and np.dtype(kind).itemsize == width
        written: Any = np.dtype(kind) if as_wide else _OF_WIDTH[width]
        values: Numbers = np.frombuffer(self.raw(at), written)
        if len(values) == 1 and count != 1:
            values = np.repeat(values, count)
        return values if kind is None else values.astype(kind, copy=False)

    def is_empty(self, at: int) -> bool:
        """Whether all is 0 there."""
        return not self._entries[at][2]

    def texts(self, at: int, kind: pa.DataType, count: int) -> pa.Array:
        """``count`` strings or bytes from the two buffers at ``at``."""
        ends = offsets(self.numbers(at, count))
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(ends), pa.py_buffer(self.raw(at + 1))])


def offsets(sizes: Numbers) -> Numbers:
    """Arrow's offsets of lists or texts of these sizes."""
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return ends


def unpack(buffers: Buffers, at: int, kind: pa.DataType, rows: int, *, attributes: bool) -> pa.Array:
    """The column of this type whose buffers begin at ``at``."""
    if attributes:
        return pa.array(Attributes(buffers, at, rows).rows(range(rows)), _KEY_VALUES)
    null = None if buffers.is_empty(at) else buffers.numbers(at, rows).astype(bool)
    if null is not None and null.all():
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        ends = offsets(buffers.numbers(at + 1, rows))
        starts = pa.array(ends, mask=None if null is None else np.append(null, False))
        return pa.ListArray.from_arrays(starts, _values(buffers, at + 2, kind.value_type, int(ends[-1])), type=kind)
    values = _values(buffers, at + 1, kind, rows)
    return values if null is None else pc.if_else(pa.array(null), pa.scalar(None, kind), values)


def _values(buffers: Buffers, at: int, kind: pa.DataType, count: int) -> pa.Array:
    if is_text(kind):
        return buffers.texts(at, kind, count)
    return pa.array(buffers.numbers(at, count, kind.to_pandas_dtype()), kind)


class Attributes:
    """A column of attributes, of which only what is asked for is unpacked."""

    def __init__(self, buffers: Buffers, at: int, rows: int) -> None:
        self._buffers = buffers
        self._at = at
        self._ends = offsets(buffers.numbers(at, rows))
        self._codes = buffers.numbers(at + 1, int(self._ends[-1]))
        self._counts = {at + 2: int(self._codes.max(initial=0)), at + 4: int(np.count_nonzero(self._codes == 0))}

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
        ends = self._text_ends(at)
        while place >= 0:
            number = int(np.searchsorted(ends, place + len(wire)))
            if number and ends[number] == place + len(wire) and ends[number - 1] == place:
                return number - 1
            place = raw.find(wire, place + 1)
        return None

    def _text_ends(self, at: int) -> Numbers:
        return offsets(self._buffers.numbers(at, self._counts[at]))

    def rows(self, indices: Sequence[int]) -> list[list[bytes]]:
        """The KeyValues of these rows, in wire form."""
        common, rare = (self._buffers.raw(self._at + number) for number in (3, 5))
        common_ends, rare_ends = (self._text_ends(self._at + number) for number in (2, 4))
        called = np.concatenate(([0], np.cumsum(self._codes == 0)))
        places = np.asarray(indices, np.intp)
        lows, highs = self._ends[places], self._ends[places + 1]
        known: dict[int, bytes] = {}
        found = []
        for low, high, first_rare, last_rare in zip(
            lows.tolist(), highs.tolist(), called[lows].tolist(), called[highs].tolist(), strict=True
        ):
            ends = rare_ends[first_rare : last_rare + 1].tolist()
            next_rare = 0
            row = []
            for code in self._codes[low:high].tolist():
                if not code:
                    row.append(rare[ends[next_rare] : ends[next_rare + 1]])
                    next_rare += 1
                    continue
                wire = known.get(code)
                if wire is None:
                    wire = known[code] = common[common_ends[code - 1] : common_ends[code]]
                row.append(wire)
            found.append(row)
        return found


def pick(buffers: Buffers, at: int, kind: pa.DataType, rows: int, indices: Sequence[int]) -> list[Any]:
    """The values of the column whose buffers begin at ``at`` in these of its rows; for few rows far cheaper than ``unpack``."""
    places = np.asarray(indices, np.intp)
    values = _picked(buffers, at + 1, kind, rows, places)
    if buffers.is_empty(at):
        return values
    nulls = buffers.numbers(at, rows)[places].tolist()
    return [None if null else value for null, value in zip(nulls, values, strict=True)]


def _picked(buffers: Buffers, at: int, kind: pa.DataType, rows: int, places: Numbers) -> list[Any]:
    """The values at these places among ``rows``, null or not."""
    if pa.types.is_list(kind):
        if buffers.is_empty(at):
            return [[] for _ in range(len(places))]
        ends = offsets(buffers.numbers(at, rows))
        lows, highs = ends[places].tolist(), ends[places + 1].tolist()
        of_all = [np.arange(low, high) for low, high in zip(lows, highs, strict=True) if low < high]
        elements = (
            iter(_picked(buffers, at + 1, kind.value_type, int(ends[-1]), np.concatenate(of_all))) if of_all else iter(())
        )
        return [list(itertools.islice(elements, high - low)) for low, high in zip(lows, highs, strict=True)]
    if is_text(kind):
        if buffers.is_empty(at):
            return ["" if pa.types.is_string(kind) else b""] * len(places)
        raw, bounds = buffers.raw(at + 1), offsets(buffers.numbers(at, rows))
        wires = [raw[low:high] for low, high in zip(bounds[places].tolist(), bounds[places + 1].tolist(), strict=True)]
        return [wire.decode("utf-8", "replace") for wire in wires] if pa.types.is_string(kind) else wires
    numbers = buffers.numbers(at, rows) if pa.types.is_boolean(kind) else buffers.numbers(at, rows, kind.to_pandas_dtype())
    found: list[Any] = numbers[places].tolist()
    return list(map(bool, found)) if pa.types.is_boolean(kind) else found
