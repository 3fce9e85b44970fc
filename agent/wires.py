"""Lists of wire-encoded messages, such as many rows' attributes: each row's are places in one table, where few repeat; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.intp]

_DENSE = 8
"""Cells of a table of lists by names, for each element, up to which it is made: of a page of spans it has two."""


class WireLists(Sequence[list[bytes]]):
    """Each row's list. What is done to the table is done for all: of 12,000 attributes in a page of spans 5,300 are distinct.

    ``table`` holds what the lists hold, nearly all of it once; ``places`` says where in it each element of each list stands,
    one list after the other, and ``ends`` where in ``places`` each list begins and, behind, the last one ends.
    """

    __slots__ = ("ends", "places", "table")

    def __init__(self, table: Sequence[bytes], places: Numbers, ends: Numbers) -> None:
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
        return cls(list(numbers), np.array(places, np.intp), ends)

    @classmethod
    def joined(cls, parts: Sequence[WireLists]) -> WireLists:
        """The lists of one after the other."""
        if len(parts) == 1:
            return parts[0]
        tables = accumulate((len(part.table) for part in parts), initial=0)
        lengths = [np.diff(part.ends) for part in parts]
        return cls(
            list(chain.from_iterable(part.table for part in parts)),
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
        return [self.table[place] for place in self.places[self.ends[number] : self.ends[number + 1]].tolist()]

    def __iter__(self) -> Iterator[list[bytes]]:
        """Each list."""
        wires = list(map(self.table.__getitem__, self.places.tolist()))
        return (wires[low:high] for low, high in pairwise(self.ends.tolist()))

    def picked(self, numbers: Sequence[int]) -> WireLists:
        """The lists of these numbers; the table is of these alone."""
        rows = np.asarray(numbers, np.intp)
        lows, lengths = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        ends = _ends(lengths)
        places = self.places[np.repeat(lows - ends[:-1], lengths) + np.arange(ends[-1])]
        has = np.zeros(len(self.table), bool)
        has[places] = True
        if has.all():
            return WireLists(self.table, places, ends)
        kept = np.flatnonzero(has)
        return WireLists([self.table[place] for place in kept.tolist()], (np.cumsum(has) - 1)[places], ends)

    def changed(self, changes: Mapping[int, bytes | None]) -> WireLists:
        """These with others at these places of the table; None takes what stands there from every list."""
        table = [changes.get(place, wire) or b"" for place, wire in enumerate(self.table)]
        dropped = [place for place, change in changes.items() if change is None]
        if not dropped:
            return WireLists(table, self.places, self.ends)
        stays = ~np.isin(self.places, dropped)
        kept_before = np.concatenate([np.zeros(1, np.intp), np.cumsum(stays)])
        return WireLists(table, self.places[stays], kept_before[self.ends])

    def counts(self) -> Numbers:
        """How often each of the table stands in a list."""
        return np.bincount(self.places, minlength=len(self.table))

    def repeat(self, names: Sequence[Hashable]) -> bool:
        """Whether a list has two elements of one name; ``names`` are those of the table."""
        numbers = {name: number for number, name in enumerate(set(names))}
        of_table = np.fromiter(map(numbers.__getitem__, names), np.intp, len(names))
        cells = np.repeat(np.arange(len(self)), np.diff(self.ends)) * len(numbers) + of_table[self.places]
        if len(self) * len(numbers) > _DENSE * len(cells):
            return len(np.unique(cells)) < len(cells)
        seen = np.zeros(len(self) * len(numbers), bool)  # a tenth of what sorting costs
        seen[cells] = True
        return int(np.count_nonzero(seen)) < len(cells)

    def concatenated(self, shown: Sequence[bytes]) -> list[bytes]:
        """Of each list what stands for its elements, one behind the other; ``shown`` stands for those of the table."""
        sizes = np.fromiter(map(len, shown), np.intp, len(shown))
        whole = b"".join(map(shown.__getitem__, self.places.tolist()))
        ends = _ends(sizes[self.places])[self.ends].tolist()
        return [whole[low:high] for low, high in pairwise(ends)]


def _ends(lengths: Numbers) -> Numbers:
    ends = np.zeros(len(lengths) + 1, np.intp)
    np.cumsum(lengths, out=ends[1:])
    return ends


def joined_cells(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Parts of one column, one after the other."""
    lists = [part for part in parts if isinstance(part, WireLists)]
    return WireLists.joined(lists) if len(lists) == len(parts) else list(chain.from_iterable(parts))


def picked_cells(cells: Sequence[Any], numbers: Sequence[int]) -> Sequence[Any]:
    """The cells of these numbers."""
    return cells.picked(numbers) if isinstance(cells, WireLists) else [cells[number] for number in numbers]
