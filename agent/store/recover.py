"""What a start finds: sealed files are adopted, journals replayed, what cannot be read is set aside.

A segment with a journal is derived from it: the file's rows are a strict prefix of the journal's, by arrival number, so the
rest is replayed into memory and the flusher seals the segment. A file that does not open beside its journal is rebuilt, and so
is every such file after a reboot.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from agent import schema
from agent.batch import Signal
from agent.clock import Clock
from agent.instruments import Instruments
from agent.store import database
from agent.store.cold import Cold, cut_behind, places_in, write_blocks, written_bytes
from agent.store.directory import places_of_sealed
from agent.store.duplicates import WINDOW_NS, RecentRequests
from agent.store.grounds import StoreSettings
from agent.store.journal import Frame, NotAJournal, replay
from agent.store.quarantine import Quarantine
from agent.store.salvage import CUTS, mend
from agent.store.segment import ROW_GROUP, Part, Segment, State, bounds_of, times_in
from agent.store.trial import attempt, marker, survives

_log = structlog.get_logger()
_SIGNALS = {schema.TABLE_NAMES[signal]: signal for signal in schema.TABLES}


class Recovery:
    """One pass over a data directory."""

    def __init__(
        self,
        settings: StoreSettings,
        connection: duckdb.DuckDBPyConnection,
        clock: Clock,
        instruments: Instruments,
        *,
        same_boot: bool,
    ) -> None:
        self._settings = settings
        self._directory = settings.directory
        self._quarantine = Quarantine(settings, instruments)
        self._connection = connection
        self._now_ns = clock.now_ns()
        self._instruments = instruments
        self._same_boot = same_boot
        self.highest_arrivals: dict[Signal, int] = {}
        self.recent = RecentRequests()

    def run(self) -> list[Segment]:
        """The segments that can be served, oldest first."""
        names = {path.stem for kind in ("*.duckdb", "*.journal", "*.blocks") for path in self._directory.glob(kind)}
        self._wipe_orphans(names)
        found = [self.tried(name) for name in sorted(names)]
        return [segment for segment in found if segment is not None]

    def _wipe_orphans(self, names: set[str]) -> None:
        """What belongs to no segment: logs and notes of files that are gone, and files that were never finished."""
        for kind in ("*_*_*.duckdb.wal", "*_*_*.attempt", "*.new"):
            for path in self._directory.glob(kind):
                if path.name.partition(".")[0] not in names:
                    path.unlink(missing_ok=True)

    def tried(self, name: str) -> Segment | None:
        """A segment; one that killed the last start is opened by a child first."""
        if marker(self._directory, name).exists() and not survives(self._settings, name):
            found = [self._directory / f"{name}.{kind}" for kind in ("duckdb", "duckdb.wal", "blocks")]
            self._quarantine.take([path for path in found if path.exists()], name, ChildProcessError("it kills who opens it"))
            journal = self._directory / f"{name}.journal"
            if journal.exists() and not survives(self._settings, name):
                self._quarantine.take([journal], name, ChildProcessError("it kills who replays it"))
        with attempt(self._directory, name):
            return self.open_segment(name)

    def open_segment(self, name: str) -> Segment | None:
        """One segment, if it can be served."""
        try:
            opened_ns, closes_ns = times_in(name)
        except ValueError:
            _log.warning("a file that is no segment lies in the data directory", name=name)
            return None
        segment = Segment(name, self._directory, opened_ns, closes_ns)
        if not segment.journal.exists() and not segment.file.exists():
            segment.blocks.unlink(missing_ok=True)  # left of a segment that was being retired
            return None
        if segment.journal.exists():
            self.rebuild(segment)
        else:
            segment.state = State.SEALED
            self._adopt(segment)
        for signal, part in segment.parts.items():
            arrivals = [batch.column("arrival")[-1].as_py() for batch in part.tail[-1:]]
            highest = self.highest_arrivals.get(signal, -1)
            self.highest_arrivals[signal] = max([highest, part.flushed_below - 1, *arrivals])
        if segment.rows():
            return segment
        self._drop(segment)
        segment.journal.unlink(missing_ok=True)
        return None

    def _adopt(self, segment: Segment) -> None:
        """A sealed segment: its files are all there is."""
        try:
            self._read_mended(segment)
        except (duckdb.Error, OSError) as error:
            self._let_go(segment)
            self._quarantine.take([segment.file, segment.wal, segment.blocks], segment.name, error)

    def _read_mended(self, segment: Segment) -> None:
        """Its files, also beside a log of DuckDB's that cannot be replayed.

        Raises:
            duckdb.Error, OSError: they cannot be read.
        """
        for cuts in range(CUTS + 2):
            try:
                self._read_files(segment)
            except (duckdb.Error, OSError) as error:
                self._let_go(segment)
                if not mend(segment.wal, error, self._quarantine, cut=cuts < CUTS):
                    raise
            else:
                return

    def _read_files(self, segment: Segment) -> None:
        database.attach(self._connection, segment)
        segment.attached = True
        derived = segment.state is not State.SEALED
        places = places_in(segment.blocks, checked=True) if derived else places_of_sealed(segment.blocks)
        if derived:
            cut_behind(segment.blocks, places)
        traces = {} if derived else database.traces_in_file(self._connection, segment)
        for signal in schema.TABLES:
            bounds, highest = database.bounds_in_file(self._connection, segment, signal)
            cold = Cold(written=tuple(places.get(signal, ())))
            if bounds.rows or cold.written:
                segment.parts[signal] = Part(flushed_below=highest + 1, bounds=bounds, cold=cold, traces=traces.get(signal))
        if segment.blocks.exists():
            segment.note(segment.blocks)
        if self._now_ns - segment.closes_ns <= WINDOW_NS:
            requests = self._connection.sql(f"SELECT * FROM {segment.alias}.requests").to_arrow_table()  # noqa: S608 ours
            self.recent.load(requests, self._now_ns)

    def _let_go(self, segment: Segment) -> None:
        """Forget all that was read of a file, so that nothing is served or sealed from it."""
        database.detach(self._connection, segment)
        segment.attached = False
        segment.parts = {}

    def rebuild(self, segment: Segment) -> None:
        """A segment that was open: its files, if they open, and what the journal holds beyond them."""
        segment.state = State.SEALING
        if not segment.file.exists() or not (self._same_boot or _is_damaged(segment.journal)):
            # The journal was synced, the files were not: after a power loss any of their blocks may be missing.
            self._drop(segment)
        else:
            try:
                self._read_derived(segment)
            except (duckdb.Error, OSError) as error:
                _log.warning("a segment is rebuilt from its journal", segment=segment.name, exc_info=error)
                self._drop(segment)
        self._replay(segment)
        segment.measure()
        for path in (segment.journal, segment.blocks):
            if path.exists():
                segment.note(path)

    def _read_derived(self, segment: Segment) -> None:
        try:
            self._read_files(segment)
        except (duckdb.Error, OSError):
            if not _is_damaged(segment.journal):
                raise  # the journal has it all
            self._read_mended(segment)

    def _drop(self, segment: Segment) -> None:
        self._let_go(segment)
        for path in (segment.file, segment.wal, segment.blocks):
            segment.forget(path)
            path.unlink(missing_ok=True)

    def _replay(self, segment: Segment) -> None:
        # Of 3 M rows that are in the files but for the last, undoing what the frames hold of them takes half of the replay.
        stored = {signal: min(part.flushed_below, part.cold.written_end) for signal, part in segment.parts.items()}
        try:
            for frame in replay(segment.journal, lambda: self._quarantine.keep_original(segment.journal), stored):
                self._take(segment, frame)
        except NotAJournal as error:
            self._quarantine.take([segment.journal], segment.name, error)

    def _take(self, segment: Segment, frame: Frame) -> None:
        """One frame: the rows and blocks that the files lack, the origins, the requests."""
        for block in frame.blocks:
            part = segment.part(block.extent.signal)
            if block.extent.first >= part.cold.written_end:
                segment.parts[block.extent.signal] = part.with_cold(block)
        for name, rows in frame.batches.items():
            signal = _SIGNALS.get(name)
            if signal is not None:
                self._take_rows(segment, signal, rows)
        if "origins" in frame.batches:
            origins = frame.batches["origins"]
            for index, value in enumerate(origins.column("hash").to_pylist()):
                segment.origins.setdefault(value, origins.slice(index, 1))
        segment.requests.append(frame.batches["requests"])
        self.recent.load(frame.batches["requests"], self._now_ns)

    def _take_rows(self, segment: Segment, signal: Signal, rows: pa.RecordBatch) -> None:
        part = segment.part(signal)
        lacking = rows.filter(pc.greater_equal(rows.column("arrival"), pa.scalar(part.flushed_below, pa.int64())))
        if not lacking.num_rows:
            return
        part = part.appended(lacking, bounds_of(signal, lacking))
        while part.tail_rows >= ROW_GROUP:  # a file that is rebuilt would not fit in memory
            if not segment.attached:
                database.attach(self._connection, segment)
                segment.attached = True
            end = written_bytes(part.cold for part in segment.parts.values())
            places = write_blocks(segment.blocks, part.cold.waiting, end)
            part = replace(part, cold=part.cold.stored(places))
            database.insert(self._connection, segment, schema.TABLE_NAMES[signal], part.head(ROW_GROUP))
            part = part.flushed(ROW_GROUP)
        segment.parts[signal] = part


def _is_damaged(journal: Path) -> bool:
    """Whether a journal ends otherwise than a kill leaves it; then its files may have what it has not."""
    found: list[bool] = []
    try:
        for _ in replay(journal, lambda: found.append(True)):
            pass
    except NotAJournal:
        return True
    return bool(found)
