"""A Segment: a slice of the store by arrival time, and what of it lies in memory and in its file.

A ``Part`` is one signal's rows in one segment. It is immutable and swapped whole, so a reader that holds one sees an exact
state: hot columns of rows with ``arrival < flushed_below`` come from the DuckDB file, the others from ``tail``; cold columns
come from ``cold``. A flush that commits in between changes nothing for that reader, since it still asks the file only for
arrivals below its own mark.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from agent import schema
from agent.batch import Signal
from agent.store.block import Block, Loose
from agent.store.bloom import Traces
from agent.store.cold import NO_ROWS, Cold
from agent.store.lodging import GONE, Identity, identity

MERGED_ROWS = 8192
"""Batches in memory are joined up to this many rows: DuckDB scans a few large ones ten times faster than sixty small ones."""

JOINED_WITH = 3
"""A batch is joined with those behind it when they have so many times its rows. Joining costs 0.3 ms, of four batches of 2,048
spans as of two: with 1, by which each row is copied twice as often, a span costs 0.1 us more."""

ROW_GROUP = 30_720
"""Rows of a DuckDB row group. Whole groups skip DuckDB's WAL; this size flushes 409 k rows per CPU-second in 105 ms."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The rows of a Part and the extremes that let a query pass it by; ``max_duration_ns`` is 0 but for spans."""

    rows: int = 0
    min_time_ns: int = 2**63 - 1
    max_time_ns: int = -(2**63)
    max_duration_ns: int = -(2**63)

    def joined(self, other: Bounds) -> Bounds:
        """The bounds of both together."""
        return Bounds(
            self.rows + other.rows,
            min(self.min_time_ns, other.min_time_ns),
            max(self.max_time_ns, other.max_time_ns),
            max(self.max_duration_ns, other.max_duration_ns),
        )


def bounds_of(signal: Signal, rows: pa.RecordBatch) -> Bounds:
    """The bounds of a batch with at least one row."""
    times = np.asarray(rows.column(schema.TIME_COLUMNS[signal]))
    longest = int(np.asarray(rows.column("duration_ns")).max()) if signal is Signal.TRACES else 0
    return Bounds(rows.num_rows, int(times.min()), int(times.max()), longest)


@dataclass(frozen=True, slots=True)
class Part:
    """One signal's rows in one segment, in order of arrival: hot columns in the file, then in memory; and the cold ones."""

    flushed_below: int = 0
    tail: tuple[pa.RecordBatch, ...] = ()
    tail_rows: int = 0
    bounds: Bounds = Bounds()
    stored: Bounds | None = None
    """Of the rows in the file, or wider; None: those of all rows."""
    cold: Cold = NO_ROWS
    traces: Traces | None = None
    """Of a sealed segment, which traces it may hold."""

    def appended(self, rows: pa.RecordBatch, bounds: Bounds) -> Part:
        """This part with more rows at its end."""
        return replace(
            self,
            tail=_joined(self.tail, rows),
            tail_rows=self.tail_rows + rows.num_rows,
            bounds=self.bounds.joined(bounds),
        )

    def with_cold(self, block: Block, loose: Loose | None = None) -> Part:
        """This part with the cold columns of more rows; see ``Cold.appended``."""
        return replace(self, cold=self.cold.appended(block, loose))

    @property
    def tail_bytes(self) -> int:
        """Bytes in memory."""
        return sum(int(batch.nbytes) for batch in self.tail) + self.cold.waiting_bytes

    def head(self, rows: int) -> pa.Table:
        """The first ``rows`` rows in memory, which the flusher moves next."""
        return pa.Table.from_batches(self.tail).slice(0, rows)

    def flushed(self, rows: int) -> Part:
        """This part after its first ``rows`` rows in memory have been committed to the file."""
        kept: list[pa.RecordBatch] = []
        left = rows
        last = self.flushed_below - 1
        for batch in self.tail:
            moved = min(left, batch.num_rows)
            left -= moved
            if moved:
                last = batch.column("arrival")[moved - 1].as_py()
            if moved < batch.num_rows:
                kept.append(batch.slice(moved))
        return replace(self, flushed_below=last + 1, tail=tuple(kept), tail_rows=self.tail_rows - rows, stored=self.bounds)


def _joined(tail: tuple[pa.RecordBatch, ...], rows: pa.RecordBatch) -> tuple[pa.RecordBatch, ...]:
    """The batches with one more, small ones joined: of like groups each row is copied log4(MERGED_ROWS / rows) times."""
    kept = [*tail, rows]
    first, behind = len(kept) - 1, rows.num_rows
    for place in range(len(kept) - 2, -1, -1):
        before = kept[place].num_rows
        if before + behind > MERGED_ROWS:
            break
        if behind >= JOINED_WITH * before:
            first = place
        behind += before
    if first < len(kept) - 1:
        kept[first:] = pa.Table.from_batches(kept[first:]).combine_chunks().to_batches()
    return tuple(kept)


QUARANTINE = "quarantine"
"""The folder of what could not be read; it is retired by age like everything else."""


class State(enum.StrEnum):
    """Open: written to. Sealing: no more writes, rows still in memory. Sealed: all in the file, no journal."""

    OPEN = "open"
    SEALING = "sealing"
    SEALED = "sealed"


@dataclass(slots=True)
class Segment:
    """One segment; the store's lock guards ``state``, ``parts``, ``attached`` and ``retired``.

    ``origins`` and ``requests`` hold what the rows of this process wrote; a sealed segment's lie in its file.
    """

    name: str
    directory: Path
    opened_ns: int
    closes_ns: int
    state: State = State.OPEN
    attached: bool = False
    retired: bool = False
    parts: dict[Signal, Part] = field(default_factory=dict)
    origins: dict[int, pa.RecordBatch] = field(default_factory=dict)
    origins_in_file: set[int] = field(default_factory=set)
    requests: list[pa.RecordBatch] = field(default_factory=list)
    tail_bytes: int = 0
    healing: bool = False
    """Detached for a moment, to be attached again: who wants its rows waits."""
    opened_files: dict[Path, Identity] = field(default_factory=dict)
    """Which files its names led to when they were opened; DuckDB does not notice when they lead elsewhere."""

    @property
    def file(self) -> Path:
        """The DuckDB file; absent until the first flush."""
        return self.directory / f"{self.name}.duckdb"

    @property
    def blocks(self) -> Path:
        """The block file: the cold columns; absent until the first flush."""
        return self.directory / f"{self.name}.blocks"

    @property
    def journal(self) -> Path:
        """The journal; absent once sealed."""
        return self.directory / f"{self.name}.journal"

    @property
    def wal(self) -> Path:
        """DuckDB's own log beside the file, while there is one."""
        return self.directory / f"{self.name}.duckdb.wal"

    @property
    def files(self) -> tuple[Path, ...]:
        """All that may be there of it."""
        return self.file, self.wal, self.blocks, self.journal

    def note(self, path: Path) -> None:
        """Remember which file this name leads to: it has just been opened by it."""
        self.opened_files[path] = identity(path) or GONE

    def forget(self, path: Path) -> None:
        """The file is closed, or about to be removed by ourselves."""
        self.opened_files.pop(path, None)

    def is_own(self, path: Path) -> bool:
        """Whether a name leads to the file that was opened by it."""
        return identity(path) == self.opened_files.get(path, GONE)

    def has_lost(self) -> bool:
        """Whether a name leads to another file than the one that was opened by it, or to none."""
        opened = list(self.opened_files.items())
        strange = [path for path, known in opened if identity(path) != known]
        return any(path in self.opened_files for path in strange) and not self.retired

    @property
    def alias(self) -> str:
        """The name under which the file is attached."""
        return f"s_{self.name}"

    def part(self, signal: Signal) -> Part:
        """The rows of one signal."""
        return self.parts.get(signal, Part())

    def unknown_origins(self, batches: Sequence[pa.RecordBatch]) -> dict[int, pa.RecordBatch]:
        """The origins among these that it does not have yet, one row each, by hash."""
        return {
            value: batch.slice(index, 1)
            for batch in batches
            for index, value in enumerate(batch.column("hash").to_pylist())
            if value not in self.origins
        }

    def measure(self) -> None:
        """Count again what lies in memory."""
        self.tail_bytes = sum(part.tail_bytes for part in self.parts.values())

    def rows(self) -> int:
        """The rows of every signal."""
        return sum(part.bounds.rows for part in self.parts.values())


_NAME = re.compile(r"[0-9]{20}_[0-9]{20}_[0-9a-f]{8}", re.ASCII)
"""It becomes part of SQL."""


def segment_name(opened_ns: int, closes_ns: int, nonce: str) -> str:
    """A name that is never reused and tells both times; ``nonce`` keeps two segments of one instant apart."""
    return f"{opened_ns:020d}_{closes_ns:020d}_{nonce}"


def times_in(name: str) -> tuple[int, int]:
    """``opened_ns`` and ``closes_ns`` in a segment's name.

    Raises:
        ValueError: it is not one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a segment")
    opened, closes, _ = name.split("_")
    return int(opened), int(closes)


def expired(closes_ns: int, retention_ns: int, now_ns: int) -> bool:
    """Whether every row of a segment that took arrivals until ``closes_ns`` has been kept for the retention."""
    return now_ns >= closes_ns + retention_ns


def over_budget(sizes: Sequence[int], max_bytes: int) -> int:
    """How many of the segments, oldest first with these sizes, must go so that the rest fits ``max_bytes``."""
    total = sum(sizes)
    count = 0
    for size in sizes:
        if total <= max_bytes:
            break
        total -= size
        count += 1
    return count
