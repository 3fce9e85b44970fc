"""The cold columns of one signal in one segment: what is in the block file, what waits to be written, what is still loose.

Immutable and swapped whole, like the Part it belongs to. Rows are in order of arrival: first those written, then those
waiting, then the loose ones, which become a block when they are as many or as wide as one is.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from agent import schema
from agent.batch import Signal
from agent.store.block import BLOCK_ROWS, HEAD, Block, BlockDamaged, Extent, Loose, encode, joined, read_head
from agent.store.grams import TAIL_BYTES, filter_at_end

SMALL_ROWS = BLOCK_ROWS // 2
"""Groups of fewer rows are joined before they are written: a block of 10 rows takes six times the room a row."""

LOOSE_BYTES = 4 * 1024 * 1024
"""Wider rows are not kept loose: the flusher, which makes room in memory, moves blocks alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the block file a block lies."""

    extent: Extent
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Cold:
    """The cold columns of a Part."""

    written: tuple[Place, ...] = ()
    waiting: tuple[Block, ...] = ()
    loose: Loose | None = None

    @property
    def waiting_bytes(self) -> int:
        """Bytes in memory."""
        return sum(len(block.stored) for block in self.waiting) + (int(self.loose.rows.nbytes) if self.loose else 0)

    def appended(self, block: Block, loose: Loose | None = None) -> Cold:
        """This with one more block at its end; ``loose`` is the same, if it is at hand, to spare unpacking."""
        if self.loose and self.loose.extent.end != block.extent.first:
            return self.tied().appended(block, loose)  # what is joined must have no gap
        if block.extent.rows >= SMALL_ROWS:
            return replace(self, waiting=(*self.tied().waiting, block), loose=None)
        small = loose or joined([block])
        grown = replace(self, loose=joined([self.loose, small]) if self.loose else small)
        whole = grown.loose and (grown.loose.extent.rows >= BLOCK_ROWS or grown.loose.rows.nbytes >= LOOSE_BYTES)
        return grown.tied() if whole else grown

    def tied(self) -> Cold:
        """This without loose rows: they are the last block that waits."""
        if self.loose is None:
            return self
        return replace(self, waiting=(*self.waiting, Block(encode(self.loose))), loose=None)

    def stored(self, places: Sequence[Place]) -> Cold:
        """This after its first waiting blocks were written at these places."""
        return replace(self, written=(*self.written, *places), waiting=self.waiting[len(places) :])

    @property
    def written_end(self) -> int:
        """The arrival number behind the last row that is written; 0 without any."""
        return self.written[-1].extent.end if self.written else 0


NO_ROWS = Cold()


def blocks_of(signal: Signal, first: int, rows: pa.RecordBatch, times: pa.Array) -> list[tuple[Block, Loose]]:
    """The cold columns of a group as blocks, and as they came.

    Args:
        signal: whose rows.
        first: the arrival number of the first row.
        rows: with the columns ``schema.COLD[signal]`` among them.
        times: the rows' event times in nanoseconds.
    """
    cold = rows.select(schema.COLD[signal])
    count = max(1, round(rows.num_rows / BLOCK_ROWS))
    edges = [rows.num_rows * n // count for n in range(count + 1)]
    found = []
    for low, high in itertools.pairwise(edges):
        moments = np.asarray(times)[low:high]
        extent = Extent(signal, first + low, first + high, int(moments.min()), int(moments.max()))
        loose = Loose(extent, cold.slice(low, high - low))
        found.append((Block(encode(loose, lasting=extent.rows >= SMALL_ROWS)), loose))
    return found


def write_blocks(path: Path, blocks: Sequence[Block], end: int) -> list[Place]:
    """Append blocks to a segment's block file, of which ``end`` bytes are written; they are not synced.

    Raises:
        OSError: nothing of them is kept.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        if size < end:
            raise OSError(errno.ESTALE, "the block file was removed or cut")
        if size > end:
            os.ftruncate(fd, end)  # a directory, or what a failed write has left
            os.lseek(fd, end, os.SEEK_SET)
        try:
            return _append(fd, end, blocks)
        except OSError:
            os.ftruncate(fd, end)
            raise
    finally:
        os.close(fd)


def written_bytes(parts: Iterable[Cold]) -> int:
    """Where the next block of a segment goes: behind all that are written."""
    return max((part.written[-1].offset + part.written[-1].size for part in parts if part.written), default=0)


def _append(fd: int, offset: int, blocks: Sequence[Block]) -> list[Place]:
    places = []
    for block in blocks:
        view = memoryview(block.stored)
        while view:
            view = view[os.write(fd, view) :]
        places.append(Place(block.extent, offset, len(block.stored)))
        offset += len(block.stored)
    return places


def read_block(fd: int, place: Place) -> Block:
    """A block from an open block file.

    Raises:
        BlockDamaged: it is not what was written.
        OSError: it cannot be read.
    """
    return Block(os.pread(fd, place.size, place.offset))


def read_filter(fd: int, place: Place) -> bytes:
    """The filter of a block's texts from an open block file; empty when it has none, or not an intact one.

    Raises:
        OSError: it cannot be read.
    """
    size = min(TAIL_BYTES, place.size - HEAD.size)
    return filter_at_end(os.pread(fd, size, place.offset + place.size - size))


def places_in(path: Path, *, checked: bool = False) -> dict[Signal, list[Place]]:
    """What lies in a block file up to the first block that is none, by the heads alone or (``checked``) all of it.

    Raises:
        OSError: it cannot be read.
    """
    found: dict[Signal, list[Place]] = {}
    if not path.exists():
        return found
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < end:
            try:
                extent, size = read_head(os.pread(file.fileno(), HEAD.size, offset))
                place = Place(extent, offset, size)
                if checked or offset + size > end:
                    read_block(file.fileno(), place)
            except BlockDamaged:
                break
            found.setdefault(extent.signal, []).append(place)
            offset += size
    return found


def cut_behind(path: Path, places: dict[Signal, list[Place]]) -> None:
    """Cut off what a write that was killed has left behind the last whole block."""
    last = max((place.offset + place.size for found in places.values() for place in found), default=0)
    if path.exists() and path.stat().st_size > last:
        os.truncate(path, last)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
