"""Attributes as the entries of a message's ``map<string, string>``, in wire form: all of a page's at once, by columns; pure.

Nearly all attributes are short strings and integers. Those are written where they lie, without a Python object for any: a
string's entry is the KeyValue's own bytes but for two tags and two lengths, and as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent import values
from agent.arrays import Numbers
from agent.query.flat import Remembered, flat_attribute
from agent.wires import bytes_of, end_to_end, laid_out, side_by_side, wire_lists

_KEY, _VALUE, _STRING, _INTEGER = 0x0A, 0x12, 0x0A, 0x18  # tags: of a KeyValue's fields, of an AnyValue's
_LEAST_VALUE = 4
"""Bytes of a value field: its tag and length, and the value's own, or an integer's byte."""
_SHORT = 128
"""A length below this is one byte."""
_LONGEST_VARINT = 9
"""Bytes of an integer that is not negative."""

_FEW = 128
"""Attributes that are written one by one: by columns they take a millisecond too, nearly all of it in calls."""

_BEFORE, _BEHIND = (pa.scalar(text, pa.binary()) for text in (b'{"intValue":"', b'"}'))
_LONGEST_JSON = 2 + 15 + 19
"""Bytes of the longest such integer's text field."""

_Shown = tuple[Numbers, pa.BinaryArray, Numbers | None]
"""For a table: numbers that are equal where keys are, all entries, and which of them stands for each, if not the same."""


class Entries:
    """The entries of one field of a message."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._tag = values.length_delimited(field, b"")[0]
        self._others = Remembered(self._written)

    def of_all(self, cells: Sequence[Sequence[bytes]]) -> pa.BinaryArray:
        """The entries of each row's KeyValues; of duplicate keys the first counts."""
        lists = wire_lists(cells)
        keys, shown, at = (self._one_by_one if len(lists.table) < _FEW else self._by_columns)(lists.table)
        return lists.first_of(keys).concatenated(shown, at)

    def _one_by_one(self, table: pa.BinaryArray) -> _Shown:
        written = list(map(self._others.__getitem__, bytes_of(table)))
        numbers: dict[bytes, int] = {}
        keys = np.array([numbers.setdefault(head, len(numbers)) for head, _ in written], np.intp)
        return keys, pa.array([entry for _, entry in written], pa.binary()), None

    def _by_columns(self, table: pa.BinaryArray) -> _Shown:
        short = Short(*laid_out(table))
        written = list(map(self._others.__getitem__, bytes_of(table.take(pa.array(short.others)))))
        heads = pa.concat_arrays([short.heads, pa.array([head for head, _ in written], pa.binary())])
        keys = np.empty(len(table), np.intp)
        keys[np.concatenate([short.all, short.others])] = heads.dictionary_encode().indices.to_numpy()
        entries = [short.strings(self._tag), short.integers(self._tag), pa.array([entry for _, entry in written], pa.binary())]
        at = np.arange(len(table))
        at[short.are_integers] = len(table) + np.arange(len(short.are_integers))
        at[short.others] = len(table) + len(short.are_integers) + np.arange(len(short.others))
        return keys, pa.concat_arrays(entries), at

    def _written(self, wire: bytes) -> tuple[bytes, bytes]:
        """The key field and the entry of any attribute."""
        key, text = (part.encode() for part in flat_attribute(wire))
        head = values.length_delimited(1, key)
        return head, values.length_delimited(self._field, head + values.length_delimited(2, text))


class Short:
    """Which KeyValues of a table are short strings and integers of the usual layout, and their entries; ``others`` are not.

    Usual: key, then value, every field once, lengths of one byte, ASCII.
    """

    def __init__(self, wires: bytes, ends: Numbers) -> None:
        self._data = np.frombuffer(wires, np.uint8)
        ends = ends.astype(np.intp)
        self._starts, self._stops, self._sizes = ends[:-1], ends[1:], np.diff(ends)
        heads = self._byte(self._starts + 1).astype(np.intp) + 2
        has_both = (self._sizes < _SHORT) & (heads + _LEAST_VALUE <= self._sizes)
        self._values = at = self._starts + np.where(has_both, heads, 0)
        of_value = self._stops - at
        usual = (
            has_both & (self._byte(self._starts) == _KEY) & (self._byte(at) == _VALUE) & (self._byte(at + 1) == of_value - 2)
        )
        kind, (high_before, high) = self._byte(at + 2), self._high_around(at + 3)
        usual &= high_before == 0
        is_string = usual & (kind == _STRING) & (self._byte(at + 3) == of_value - 4) & (high == 0)
        is_varint = (high == of_value - 4) & (self._byte(self._stops - 1) < _SHORT) & (of_value - 3 <= _LONGEST_VARINT)
        is_integer = usual & (kind == _INTEGER) & is_varint & (heads + _LONGEST_JSON < _SHORT)
        self._is_short = is_string | is_integer
        self.all, self.others = np.flatnonzero(self._is_short), np.flatnonzero(~self._is_short)
        self._are_strings, self.are_integers = np.flatnonzero(is_string), np.flatnonzero(is_integer)

    def _byte(self, at: Numbers) -> Numbers:
        """The bytes at these places; any byte behind the end."""
        return self._data.take(at, mode="clip") if len(self._data) else np.zeros(len(at), np.uint8)

    def _high_around(self, at: Numbers) -> tuple[Numbers, Numbers]:
        """How many bytes are not ASCII before and behind these places, in each."""
        high = np.flatnonzero(self._data >= _SHORT)
        holds = np.searchsorted(self._stops, high, side="right")
        are_before = high < at[holds]
        before, behind = (np.bincount(holds[which], minlength=len(at)) for which in (are_before, ~are_before))
        return before, behind

    @cached_property
    def _is_head(self) -> Numbers:
        """Which bytes are of the key fields of strings and integers."""
        heads = np.where(self._is_short, self._values - self._starts, 0)
        flags = np.zeros(2 * len(heads), bool)
        flags[::2] = True
        return np.repeat(flags, np.column_stack([heads, self._sizes - heads]).ravel())

    @cached_property
    def heads(self) -> pa.BinaryArray:
        """The key fields of all."""
        return side_by_side(self._data[self._is_head], (self._values - self._starts)[self.all])

    def strings(self, tag: int) -> pa.BinaryArray:
        """Entries in the places of strings, anything in others: a key moves by two, behind the entry's tag and length."""
        entries = self._data.copy()
        np.copyto(entries[2:], self._data[:-2], where=self._is_head[:-2])
        starts = self._starts[self._are_strings]
        entries[starts] = tag
        entries[starts + 1] = self._sizes[self._are_strings] - 2
        entries[self._values[self._are_strings] + 2] = _VALUE
        return side_by_side(entries, self._sizes)

    def integers(self, tag: int) -> pa.BinaryArray:
        """The entries of integers, in which they are JSON."""
        at = self.are_integers
        heads = self.heads.take(pa.array(np.searchsorted(self.all, at)))
        digits = pa.array(self._integers()).cast(pa.string()).cast(pa.binary())
        of_text = pc.binary_length(digits).to_numpy(zero_copy_only=False) + len(_BEFORE.as_py()) + len(_BEHIND.as_py())
        of_entry = (self._values - self._starts)[at] + 2 + of_text
        begins, tags = _pairs(tag, of_entry), _pairs(_VALUE, of_text)
        return end_to_end(begins, heads, tags, _BEFORE, digits, _BEHIND)

    def _integers(self) -> Numbers:
        first, last = self._values[self.are_integers] + 3, self._stops[self.are_integers] - 1
        found = np.zeros(len(first), np.int64)
        for place in range(int((last - first).max(initial=-1)) + 1):
            sevens = np.where(first + place <= last, self._byte(first + place) & 0x7F, 0)
            found |= sevens.astype(np.int64) << (7 * place)
        return found


def _pairs(one: int, other: Numbers) -> pa.BinaryArray:
    """Two bytes each, the first always the same."""
    return side_by_side(np.column_stack([np.full(len(other), one), other]).astype(np.uint8).ravel(), np.full(len(other), 2))
