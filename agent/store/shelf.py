"""Reading cold columns: one signal of one segment as one query sees it, block by block."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.arrays import Numbers
from agent.store.block import SEARCHED, Block, BlockDamaged, Loose, Piece
from agent.store.cold import Place, read_block, read_filter
from agent.store.grams import Sought
from agent.store.remembered import Blocks
from agent.store.statement import Wanted
from agent.store.store import View
from agent.store.tally import Forms
from agent.store.weight import weight
from agent.wires import joined_cells


@dataclass(frozen=True, slots=True)
class Taken:
    """Cold columns of the rows that have these arrival numbers, the bytes they take, and the arrivals left for want of room."""

    arrivals: list[int]
    columns: list[Sequence[Any]]
    left: set[int]
    size: int

    @property
    def rows(self) -> dict[int, tuple[Any, ...]]:
        """The columns of each row by its arrival number."""
        return dict(zip(self.arrivals, zip(*self.columns, strict=True), strict=True))


class Shelf:
    """The pieces of a view; ``check`` is called before each and raises when the query must stop.

    A piece that does not answer costs its own rows: ``damaged`` is set, the others are read. ``blocks`` keeps those of which
    rows were taken: the next page, or another service's, has rows of the same.
    """

    def __init__(self, view: View, check: Callable[[], None], blocks: Blocks | None = None) -> None:
        self._view = view
        self._blocks = blocks or Blocks()
        self._check = check
        self._fd = -1
        self._broken: set[int] = set()
        self.damaged = False
        cold = view.part.cold
        loose = () if cold.loose is None else (cold.loose,)
        self._pieces: tuple[Place | Block | Loose, ...] = (*cold.written, *cold.waiting, *loose)
        self._ends = [piece.extent.end for piece in self._pieces]

    def close(self) -> None:
        """Close the block file, if it was opened."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rows(self, arrivals: Sequence[int], names: Sequence[str]) -> dict[int, tuple[Any, ...]]:
        """The named columns of these rows by arrival number, of those that can be read."""
        return self.take(arrivals, names, sys.maxsize).rows

    def take(self, arrivals: Sequence[int], names: Sequence[str], room: int) -> Taken:
        """As ``rows``, the piece with the first arrival first, until the values take ``room`` bytes.

        The piece that uses it up is read whole: it holds no more than one group of requests.
        """
        found: list[int] = []
        parts: list[list[Sequence[Any]]] = []
        left: set[int] = set()
        size = 0
        pieces = self._by_piece(arrivals)
        if sum(map(len, pieces.values())) < len(arrivals):
            self._miss()
        for number, wanted in pieces.items():
            if size >= room:
                left.update(wanted)
                continue
            piece = self._read(number)
            if piece is None:
                continue
            if isinstance(piece, Block):
                self._blocks.put(self._view.segment.name, piece)
            first = piece.extent.first
            indices = [arrival - first for arrival in wanted]
            read = [piece.values(name, indices) for name in names]
            size += weight(piece.extent.signal, dict(zip(names, read, strict=True)))
            found += wanted
            parts.append(read)
        columns = map(joined_cells, zip(*parts, strict=True)) if parts else ([] for _ in names)
        return Taken(found, list(columns), left, size)

    def arrivals(self, wanted: Wanted) -> Numbers:
        """The arrival numbers of the rows that meet the conditions, ascending, of those that can be read."""
        forms = list(map(Forms, wanted.attributes))
        found = [_matches(piece, wanted.text, forms) + piece.extent.first for piece in self._read_for(wanted)]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def count(self, wanted: Wanted) -> tuple[int, Numbers]:
        """How many rows meet the conditions, of pieces within the time; of the others, the arrival numbers of those that do."""
        count, others, forms = 0, [np.zeros(0, np.int64)], list(map(Forms, wanted.attributes))
        for piece in self._read_for(wanted):
            if wanted.includes(piece.extent.min_time_ns, piece.extent.max_time_ns):
                count += _count(piece, wanted.text, forms)
            else:
                others.append(_matches(piece, wanted.text, forms) + piece.extent.first)
        return count, np.concatenate(others)

    def _read_for(self, wanted: Wanted) -> Iterator[Piece]:
        """The pieces that may have a row that meets the conditions, of those that can be read."""
        sought = Sought(wanted.text)
        if sum(piece.extent.rows for piece in self._pieces) < self._view.part.bounds.rows:
            self._miss()
        for number, extent in enumerate(piece.extent for piece in self._pieces):
            if wanted.overlaps(extent.min_time_ns, extent.max_time_ns) and self._may_contain(number, sought):
                piece = self._read(number)
                if piece is not None:
                    yield piece

    def _by_piece(self, arrivals: Sequence[int]) -> dict[int, list[int]]:
        """Which of these rows lie in which piece, by the piece's number, in the order of their first."""
        found: dict[int, list[int]] = {}
        for number, arrival in zip(np.searchsorted(self._ends, arrivals, side="right").tolist(), arrivals, strict=True):
            if number < len(self._ends) and arrival >= self._pieces[number].extent.first:
                found.setdefault(number, []).append(arrival)
        return found

    def _may_contain(self, number: int, sought: Sought) -> bool:
        """Whether a piece must be read to tell: a filter costs a fiftieth of that."""
        if not sought.grams:
            return True
        self._check()
        piece = self._pieces[number]
        if not isinstance(piece, Place):
            return piece.may_contain(sought)
        try:
            return sought.may_stand_in(read_filter(self._opened(), piece))
        except OSError:
            return True  # whoever reads it is told

    def _opened(self) -> int:
        """The block file.

        Raises:
            OSError: it cannot be opened.
        """
        if self._fd < 0:
            self._fd = os.open(self._view.segment.blocks, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd

    def _read(self, number: int) -> Piece | None:
        """A piece; None when it is damaged, or the segment was retired before this query opened its file."""
        self._check()
        if number in self._broken:
            return None
        piece = self._pieces[number]
        if isinstance(piece, Loose):
            return piece
        known = self._blocks.get(self._view.segment.name, piece.extent)
        if known is not None:
            return known
        if not isinstance(piece, Place):
            return Block(piece.stored)  # one that waits keeps nothing unpacked
        try:
            return read_block(self._opened(), piece)
        except (OSError, BlockDamaged):
            self._broken.add(number)
            self._miss()
            return None

    def _miss(self) -> None:
        self.damaged = self.damaged or not self._view.segment.retired


def _matches(piece: Piece, text: str, attributes: Sequence[Forms]) -> Numbers:
    """The indices of a piece's rows that meet the conditions, ascending."""
    meets = np.ones(piece.extent.rows, bool)
    if text:
        meets = _marked(piece, piece.containing(SEARCHED, text))
    for forms in attributes:
        if not meets.any():
            break
        meets &= _marked(piece, piece.having("attributes", forms))
    return np.flatnonzero(meets)


def _count(piece: Piece, text: str, attributes: Sequence[Forms]) -> int:
    """How many of a piece's rows meet the conditions."""
    if len(attributes) == 1 and not text:
        return piece.count_having("attributes", attributes[0])
    return len(_matches(piece, text, attributes))


def _marked(piece: Piece, indices: Numbers) -> Numbers:
    marks = np.zeros(piece.extent.rows, bool)
    marks[indices] = True
    return marks
