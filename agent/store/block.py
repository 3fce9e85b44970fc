"""A Block: consecutive rows of one signal without the columns that SQL asks of, packed column by column; pure.

Attributes, which are four fifths of a record, are written once per distinct KeyValue: the *common* ones (twice or more in the
block) as a small table that codes point into, the *rare* ones (once) side by side in the order in which code 0 calls for them.
So an attribute is looked for by reading the small table, and a block is a third of the size that compressing alone gives
(ADR 11 has the figures). Every buffer is compressed by itself: a reader unpacks what it asks for. Behind the columns stands a
tally of the attributes (ADR 18); behind the buffers a filter of what the texts that are searched contain (ADR 15), read alone.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from agent import schema
from agent.arrays import Numbers, elements_of, numbers_of, parents_of
from agent.batch import Signal
from agent.store.buffers import Buffers
from agent.store.grams import Sought, ended, filter_at_end, grams_of
from agent.store.grep import may_stand_in, rows_with_text
from agent.store.pack import BYTES_OF_TEXT, TALLY_BUFFERS, Packing, buffers_of, pack
from agent.store.tally import Forms
from agent.store.unpack import Attributes, pick, unpack
from agent.wires import WireLists

BLOCK_ROWS = 2048
"""Of 512 rows a block takes 11 % more room and encoding twice the time; a row that is read alone unpacks its whole block."""

HEAD = struct.Struct("<4sQIIQqqBxxx")  # mark, XXH3 of what follows it, body bytes, rows, first arrival, times, signal
_MARK = b"CBK1"
_HASHED_FROM = 12
_OF_UNPACKED = 2
"""Bytes for each of a block's buffers: they stay beside what is made of them."""
SEARCHED = "body_text"
"""The cold column that text search reads, of the signals that have it."""

_NUMBERS: dict[Signal, int] = {Signal.TRACES: 1, Signal.LOGS: 2, Signal.METRICS: 3}
_SIGNALS = {number: signal for signal, number in _NUMBERS.items()}


class BlockDamaged(ValueError):
    """The bytes are not a whole block."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rows stand together: arrivals ``[first, end)`` of a signal, with event times between both bounds inclusive."""

    signal: Signal
    first: int
    end: int
    min_time_ns: int
    max_time_ns: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.end - self.first


class Piece(Protocol):
    """Cold columns of consecutive rows, packed or not."""

    @property
    def extent(self) -> Extent:
        """Which rows."""

    def column(self, name: str) -> pa.Array:
        """A cold column."""

    def values(self, name: str, indices: Sequence[int]) -> Sequence[Any]:
        """A cold column's values at these indices; lists of messages, none of which is null, are ``WireLists``."""

    def having(self, name: str, forms: Forms) -> Numbers:
        """The indices of the rows in whose attributes one of these KeyValues stands, ascending, perhaps repeated."""

    def count_having(self, name: str, forms: Forms) -> int:
        """How many rows those are."""

    def containing(self, name: str, wanted: str) -> Numbers:
        """The indices of the rows in whose text the wanted one stands; it is folded (``values.folded``)."""

    def may_contain(self, sought: Sought) -> bool:
        """False when the text stands in no row's ``SEARCHED`` column."""


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows that are not packed: the columns ``schema.COLD`` of their signal."""

    extent: Extent
    rows: pa.RecordBatch

    def column(self, name: str) -> pa.Array:
        """See ``Piece``."""
        return self.rows.column(name)

    def values(self, name: str, indices: Sequence[int]) -> Sequence[Any]:
        """See ``Piece``."""
        found = self.rows.column(name).take(pa.array(indices, pa.int64()))
        are_wires = pa.types.is_list(found.type) and pa.types.is_binary(found.type.value_type) and not found.null_count
        values: Sequence[Any] = WireLists.of_array(found) if are_wires else found.to_pylist()
        return values

    def having(self, name: str, forms: Forms) -> Numbers:
        """See ``Piece``."""
        lists = self.rows.column(name)
        held = pc.is_in(elements_of(lists), pa.array(forms.wires, pa.binary()))
        rows: Numbers = parents_of(lists)[numbers_of(held).view(bool)]
        return rows

    def count_having(self, name: str, forms: Forms) -> int:
        """See ``Piece``."""
        return len(np.unique(self.having(name, forms)))

    def containing(self, name: str, wanted: str) -> Numbers:
        """See ``Piece``."""
        return rows_with_text(self.rows.column(name), wanted)

    def may_contain(self, sought: Sought) -> bool:
        """See ``Piece``."""
        del sought  # nothing is known of rows that are not packed
        return True


def joined(pieces: Sequence[Piece]) -> Loose:
    """Neighbouring pieces as one, in order of arrival and without gaps."""
    extents = [piece.extent for piece in pieces]
    extent = Extent(
        extents[0].signal,
        extents[0].first,
        extents[-1].end,
        min(extent.min_time_ns for extent in extents),
        max(extent.max_time_ns for extent in extents),
    )
    names = schema.COLD[extent.signal]
    columns = [pa.concat_arrays([piece.column(name) for piece in pieces]) for name in names]
    return Loose(extent, pa.RecordBatch.from_arrays(columns, names=list(names)))


def encode(loose: Loose, *, lasting: bool = True) -> bytes:
    """The bytes of a block; without the filter of its texts when it is soon joined with others and not ``lasting``."""
    extent = loose.extent
    packing, tally = Packing(), Packing()
    for name in schema.COLD[extent.signal]:
        pack(packing, loose.column(name), tally if name in schema.ATTRIBUTES else None)
    grams = grams_of(loose.column(SEARCHED), extent.first) if lasting and SEARCHED in schema.COLD[extent.signal] else b""
    body = [*packing.parts(tally), ended(grams)]
    size = sum(map(len, body))
    times = (extent.min_time_ns, extent.max_time_ns)
    head = HEAD.pack(_MARK, 0, size, extent.rows, extent.first, *times, _NUMBERS[extent.signal])[_HASHED_FROM:]
    digest = xxhash.xxh3_64(head)
    for part in body:
        digest.update(part)
    return b"".join((_MARK, digest.digest()[::-1], head, *body))


def read_head(head: bytes | memoryview) -> tuple[Extent, int]:
    """What the first ``HEAD.size`` bytes of a block say, which nothing has checked, and how many bytes the whole has.

    Raises:
        BlockDamaged: they are not a block's.
    """
    if len(head) < HEAD.size:
        raise BlockDamaged("short")
    mark, _, size, rows, first, least, greatest, number = HEAD.unpack_from(head)
    if mark != _MARK or number not in _SIGNALS:
        raise BlockDamaged("not a block")
    return Extent(_SIGNALS[number], first, first + rows, least, greatest), HEAD.size + size


class Block:
    """A block's bytes, checked and ready to be read: a ``Piece``."""

    def __init__(self, stored: bytes) -> None:
        """Check the whole of it.

        Raises:
            BlockDamaged: it is not what was written.
        """
        self.extent, size = read_head(stored)
        if len(stored) != size or xxhash.xxh3_64_intdigest(memoryview(stored)[_HASHED_FROM:]) != HEAD.unpack_from(stored)[1]:
            raise BlockDamaged("checksum")
        self.stored = stored
        self._buffers = Buffers(memoryview(stored)[HEAD.size :])
        self._of_attributes: dict[str, Attributes] = {}

    @property
    def unpacked_bytes(self) -> int:
        """What it takes in memory with all of it unpacked, about."""
        return len(self.stored) + _OF_UNPACKED * self._buffers.raw_bytes

    def column(self, name: str) -> pa.Array:
        """See ``Piece``."""
        kind = schema.TABLES[self.extent.signal].field(name).type
        return unpack(self._buffers, self._at(name), kind, self.extent.rows, attributes=name in schema.ATTRIBUTES)

    def having(self, name: str, forms: Forms) -> Numbers:
        """See ``Piece``."""
        return self._attributes(name).having(forms)

    def count_having(self, name: str, forms: Forms) -> int:
        """See ``Piece``."""
        return self._attributes(name).count_having(forms)

    def values(self, name: str, indices: Sequence[int]) -> Sequence[Any]:
        """See ``Piece``."""
        if name in schema.ATTRIBUTES:
            return self._attributes(name).rows(indices)
        kind = schema.TABLES[self.extent.signal].field(name).type
        return pick(self._buffers, self._at(name), kind, self.extent.rows, indices)

    def containing(self, name: str, wanted: str) -> Numbers:
        """See ``Piece``."""
        if not may_stand_in(self._buffers.raw(self._at(name) + BYTES_OF_TEXT), wanted):
            return np.zeros(0, np.int64)
        return rows_with_text(self.column(name), wanted)

    def may_contain(self, sought: Sought) -> bool:
        """See ``Piece``."""
        return sought.may_stand_in(filter_at_end(memoryview(self.stored)[HEAD.size :]))

    def _at(self, name: str) -> int:
        return _PLACES[self.extent.signal][name]

    def _tally(self) -> int | None:
        """Where the tally of attributes begins; blocks of older code have none."""
        at = _COLUMNS_END[self.extent.signal]
        return at if len(self._buffers) >= at + TALLY_BUFFERS else None

    def _attributes(self, name: str) -> Attributes:
        if name not in self._of_attributes:
            self._of_attributes[name] = Attributes(self._buffers, self._at(name), self.extent.rows, self._tally())
        return self._of_attributes[name]


def _places_of(signal: Signal) -> dict[str, int]:
    """The first buffer of every cold column."""
    places, at = {}, 0
    for name in schema.COLD[signal]:
        places[name] = at
        at += buffers_of(schema.TABLES[signal].field(name).type, attributes=name in schema.ATTRIBUTES)
    return places


_PLACES = {signal: _places_of(signal) for signal in Signal}
_COLUMNS_END = {
    signal: sum(buffers_of(schema.TABLES[signal].field(name).type, attributes=name in schema.ATTRIBUTES) for name in names)
    for signal, names in schema.COLD.items()
}
