"""Lists of wire-encoded messages, such as many rows' attributes: each row's are places in one table, where few repeat; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent.arrays import Numbers, ends_of
from agent.values import delimiter

_EMPTY = pa.py_buffer(b"")
_NOTHING = pa.scalar(b"", pa.binary())
_HEADS = 4096
"""Lengths of messages whose heads are remembered."""

_DENSE = 8
"""Cells of a table of lists by names, for each element, up to which it is made: of a page of spans it has two."""


class WireLists(Sequence[list[bytes]]):
    """Each row's list. What is done to the table is done for all: of 12,000 attributes in a page of spans 4,400 are distinct.

    ``table`` holds what the lists hold, nearly all of it once, as Arrow's bytes: as Python's each one costs a microsecond.
    ``places`` says where in it each element of each list stands, one list after the other, and ``ends`` where in ``places``
    each list begins and, behind, the last one ends.
    """

    __slots__ = ("ends", "places", "table")

    def __init__(self, table: pa.BinaryArray, places: Numbers, ends: Numbers) -> None:
        self.table = table
        self.places = places
        self.ends = ends

    @classmethod
    def of(cls, lists: Iterable[Sequence[bytes]]) -> WireLists:
        """These lists."""
        lists = list(lists)
        numbers: dict[bytes, int] = {}
        places = [numbers.setdefault(wire, len(numbers)) for wire in chain.from_iterable(lists)]
        ends = np.fromiter(accumulate(map(len, lists), initial=0), np.intp, len(lists) + 1)
        return cls(pa.array(list(numbers), pa.binary()), np.array(places, np.intp), ends)

    @classmethod
    def of_array(cls, lists: pa.ListArray) -> WireLists:
        """These lists, none of which is null."""
        encoded = lists.flatten().dictionary_encode()
        ends = lists.offsets.to_numpy().astype(np.intp)
        return cls(encoded.dictionary, encoded.indices.to_numpy().astype(np.intp), ends - ends[0])

    @classmethod
    def joined(cls, parts: Sequence[WireLists]) -> WireLists:
        """The lists of one after the other."""
        if len(parts) == 1:
            return parts[0]
        tables = accumulate((len(part.table) for part in parts), initial=0)
        lengths = [np.diff(part.ends) for part in parts]
        return cls(
            pa.concat_arrays([pa.array([], pa.binary()), *(part.table for part in parts)]),
            np.concatenate([np.zeros(0, np.intp), *(part.places + first for part, first in zip(parts, tables, strict=False))]),
            _ends(np.concatenate([np.zeros(0, np.intp), *lengths])),
        )

    def __len__(self) -> int:
        """How many lists."""
        return len(self.ends) - 1

    def __getitem__(self, number: int) -> list[bytes]:  # type: ignore[override]  # nobody slices
        """One list."""
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        number %= len(self)
        return bytes_of(self.table.take(pa.array(self.places[self.ends[number] : self.ends[number + 1]])))

    def __iter__(self) -> Iterator[list[bytes]]:
        """Each list."""
        wires = list(map(bytes_of(self.table).__getitem__, self.places.tolist()))
        return (wires[low:high] for low, high in pairwise(self.ends.tolist()))

    def picked(self, numbers: Sequence[int]) -> WireLists:
        """The lists of these numbers; the table is of these alone."""
        elements, ends = elements_of(self.ends, np.asarray(numbers, np.intp))
        places = self.places[elements]
        has = np.zeros(len(self.table), bool)
        has[places] = True
        if has.all():
            return WireLists(self.table, places, ends)
        return WireLists(self.table.take(pa.array(np.flatnonzero(has))), (np.cumsum(has) - 1)[places], ends)

    def changed(self, changes: Mapping[int, bytes | None]) -> WireLists:
        """These with others at these places of the table; None takes what stands there from every list."""
        others = pa.array([change or b"" for change in changes.values()], pa.binary())
        chosen = np.arange(len(self.table))
        chosen[list(changes)] = len(self.table) + np.arange(len(changes))
        table = pa.concat_arrays([self.table, others]).take(pa.array(chosen))
        dropped = [place for place, change in changes.items() if change is None]
        changed = WireLists(table, self.places, self.ends)
        return changed.where(~np.isin(self.places, dropped)) if dropped else changed

    def counts(self) -> Numbers:
        """How often each of the table stands in a list."""
        return np.bincount(self.places, minlength=len(self.table))

    def first_of(self, names: Numbers) -> WireLists:
        """These, and of a list's elements with one name only the first; ``names``, from 0 on, are those of the table."""
        cells = np.repeat(np.arange(len(self)), np.diff(self.ends)) * (int(names.max(initial=0)) + 1) + names[self.places]
        size = len(self) * (int(names.max(initial=0)) + 1)
        if size <= _DENSE * len(cells):
            seen = np.zeros(size, bool)  # a tenth of what sorting costs
            seen[cells] = True
            if int(np.count_nonzero(seen)) == len(cells):
                return self
        first = np.zeros(len(cells), bool)
        first[np.unique(cells, return_index=True)[1]] = True
        return self if first.all() else self.where(first)

    def where(self, stays: Numbers) -> WireLists:
        """These without the elements that do not stay."""
        kept_before = np.concatenate([np.zeros(1, np.intp), np.cumsum(stays)])
        return WireLists(self.table, self.places[stays], kept_before[self.ends])

    def concatenated(self, shown: pa.BinaryArray, at: Numbers | None = None) -> pa.BinaryArray:
        """Of each list what stands for its elements, one behind the other.

        ``at`` says for each of the table where in ``shown`` that is, if not in the same place.
        """
        if not len(self.places):
            return of_buffer(None, self.ends)
        elements = shown.take(pa.array(self.places if at is None else at[self.places]))
        return of_buffer(elements.buffers()[2], ends_of(elements)[self.ends])


def _ends(lengths: Numbers) -> Numbers:
    ends = np.zeros(len(lengths) + 1, np.intp)
    np.cumsum(lengths, out=ends[1:])
    return ends


def elements_of(ends: Numbers, lists: Numbers) -> tuple[Numbers, Numbers]:
    """Where all elements of these lists stand, when all lists end at ``ends``, and where among them each list's end."""
    lows = ends[lists].astype(np.intp)
    of_lists = _ends(ends[lists + 1] - lows)
    return np.repeat(lows - of_lists[:-1], np.diff(of_lists)) + np.arange(of_lists[-1]), of_lists


def laid_out(array: pa.BinaryArray) -> tuple[bytes, Numbers]:
    """All values of an array without nulls side by side, and where each begins and, behind, the last one ends."""
    ends, data = ends_of(array), array.buffers()[2]
    low, high = int(ends[0]), int(ends[-1])
    return data[low:high].to_pybytes() if low < high else b"", ends - low


def bytes_of(array: pa.BinaryArray) -> list[bytes]:
    """The values of an array without nulls; a tenth of what ``to_pylist`` costs."""
    whole, ends = laid_out(array)
    return [whole[low:high] for low, high in pairwise(ends.tolist())]


def side_by_side(data: Numbers | bytes, sizes: Numbers) -> pa.BinaryArray:
    """The values of these sizes that lie side by side in ``data``."""
    return of_buffer(pa.py_buffer(data), _ends(sizes))


def of_buffer(data: pa.Buffer | None, ends: Numbers) -> pa.BinaryArray:
    """The values in a buffer, of which each begins at one of ``ends`` and ends at the next."""
    bounds = pa.py_buffer(ends.astype(np.int32, copy=False))
    return pa.BinaryArray.from_buffers(pa.binary(), len(ends) - 1, [None, bounds, data or _EMPTY])


def end_to_end(*parts: pa.BinaryArray) -> pa.BinaryArray:
    """The values of each place, one behind the other."""
    return pc.binary_join_element_wise(*parts, _NOTHING)


def as_fields(number: int, messages: pa.BinaryArray) -> pa.BinaryArray:
    """Each message as the field of this number of another message, in wire form (protobuf encoding, wire type 2)."""
    heads = [_head(number, size) for size in np.diff(ends_of(messages)).tolist()]
    return end_to_end(pa.array(heads, pa.binary()), messages)


_head = lru_cache(_HEADS)(delimiter)


def wire_lists(cells: Sequence[Sequence[bytes]]) -> WireLists:
    """Lists that may not have been read from the store."""
    return cells if isinstance(cells, WireLists) else WireLists.of(cells)


def joined_cells(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Parts of one column, one after the other."""
    lists = [part for part in parts if isinstance(part, WireLists)]
    return WireLists.joined(lists) if len(lists) == len(parts) else list(chain.from_iterable(parts))


def picked_cells(cells: Sequence[Any], numbers: Sequence[int]) -> Sequence[Any]:
    """The cells of these numbers."""
    return cells.picked(numbers) if isinstance(cells, WireLists) else [cells[number] for number in numbers]
