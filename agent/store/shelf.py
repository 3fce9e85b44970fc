"""Reading cold columns: one signal of one segment as one query sees it, block by block."""

from __future__ import annotations

import bisect
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from agent.store.block import BlockDamaged, Extent, Piece
from agent.store.cold import Place, read_block
from agent.store.pack import Numbers
from agent.store.statement import Wanted
from agent.store.store import View


class Shelf:
    """The pieces of a view; ``check`` is called before each and raises when the query must stop.

    A piece that does not answer costs its own rows: ``damaged`` is set, the others are read.
    """

    def __init__(self, view: View, check: Callable[[], None]) -> None:
        self._view = view
        self._check = check
        self._fd = -1
        self.damaged = False
        cold = view.part.cold
        loose = () if cold.loose is None else (cold.loose,)
        self._pieces: tuple[Place | Piece, ...] = (*cold.written, *cold.waiting, *loose)

    def close(self) -> None:
        """Close the block file, if it was opened."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rows(self, arrivals: Sequence[int], names: Sequence[str]) -> dict[int, tuple[Any, ...]]:
        """The named columns of these rows by arrival number, of those that can be read."""
        found: dict[int, tuple[Any, ...]] = {}
        for extent, wanted, read in self._by_piece(sorted(arrivals)):
            piece = read()
            if piece is None:
                continue
            indices = [arrival - extent.first for arrival in wanted]
            columns = [piece.values(name, indices) for name in names]
            found.update(zip(wanted, zip(*columns, strict=True), strict=True))
        if len(found) < len(set(arrivals)):
            self._miss()
        return found

    def arrivals(self, wanted: Wanted) -> Numbers:
        """The arrival numbers of the rows that meet the conditions, ascending, of those that can be read."""
        found = [np.zeros(0, np.int64)]
        if sum(piece.extent.rows for piece in self._pieces) < self._view.part.bounds.rows:
            self._miss()
        for at, extent in enumerate(piece.extent for piece in self._pieces):
            outside = wanted.start_ns is not None and extent.max_time_ns < wanted.start_ns
            if outside or (wanted.end_ns is not None and extent.min_time_ns >= wanted.end_ns):
                continue
            piece = self._read(at)
            if piece is not None:
                found.append(_matches(piece, wanted) + extent.first)
        return np.concatenate(found)

    def _by_piece(self, arrivals: Sequence[int]) -> Iterator[tuple[Extent, Sequence[int], Callable[[], Piece | None]]]:
        """The pieces that hold any of these rows: what they hold, which rows, and how to read it."""
        ends = [piece.extent.end for piece in self._pieces]
        at = 0
        while at < len(arrivals):
            number = bisect.bisect_right(ends, arrivals[at])
            if number == len(ends):
                return
            behind = bisect.bisect_left(arrivals, ends[number], at)
            extent = self._pieces[number].extent
            wanted = arrivals[bisect.bisect_left(arrivals, extent.first, at, behind) : behind]
            if wanted:
                yield extent, wanted, functools.partial(self._read, number)
            at = behind

    def _read(self, number: int) -> Piece | None:
        """A piece; None when it is damaged, or the segment was retired before this query opened its file."""
        self._check()
        piece = self._pieces[number]
        if not isinstance(piece, Place):
            return piece
        try:
            if self._fd < 0:
                self._fd = os.open(self._view.segment.blocks, os.O_RDONLY | os.O_CLOEXEC)
            return read_block(self._fd, piece)
        except (OSError, BlockDamaged):
            self._miss()
            return None

    def _miss(self) -> None:
        self.damaged = self.damaged or not self._view.segment.retired


def _matches(piece: Piece, wanted: Wanted) -> Numbers:
    """The indices of a piece's rows that meet the conditions, ascending."""
    meets = np.ones(piece.extent.rows, bool)
    if wanted.text:
        meets = _marked(piece, piece.containing("body_text", wanted.text))
    for wires in wanted.attributes:
        if not meets.any():
            break
        meets &= _marked(piece, *(piece.having("attributes", wire) for wire in wires))
    return np.flatnonzero(meets)


def _marked(piece: Piece, *indices: Numbers) -> Numbers:
    marks = np.zeros(piece.extent.rows, bool)
    for some in indices:
        marks[some] = True
    return marks
