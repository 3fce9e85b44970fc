"""Finds a page: newest segment first, as few segments as the order allows, scrubbed, without repeated rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from agent import values
from agent.query import sql
from agent.query.page import Position
from agent.query.plan import Order, Plan, Recheck
from agent.query.rows import Row, Shape, origins_of, rows_of
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.segment import Bounds
from agent.store.statement import Source, Statement

MAX_CANDIDATES = 20_000
"""Rows scrubbed for one query whose condition only scrubbed values can answer: about a quarter second."""

CHUNK = 1000
"""Candidates fetched at once."""

MAX_REPEATS = 1000
"""Rows of one key that are compared across a page's edge to show equal rows once."""


@dataclass(slots=True)
class Found:
    """Scrubbed rows in order, at most the plan's limit, and what is known of the rest."""

    rows: list[Row] = field(default_factory=list)
    total: int = 0
    total_is_exact: bool = True
    has_more: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """One row of a fetched table; places sort by ``key`` and ``arrival``."""

    key: int
    arrival: int
    source: Source
    table: pa.Table
    index: int


class Search:
    """One plan against one reading; on a reader's thread."""

    def __init__(self, plan: Plan, shape: Shape, reading: Reading, scrubber: Scrubber) -> None:
        self._plan = plan
        self._shape = shape
        self._reading = reading
        self._scrubber = scrubber
        self._warnings: list[str] = list(plan.warnings)
        self._sources = [] if plan.nothing else self._overlapping(reading.sources(plan.signal))

    def run(self) -> Found:
        """The page."""
        found = self._rechecked() if self._plan.rechecks else self._direct()
        found.warnings = self._warnings
        return found

    def _overlapping(self, sources: Sequence[Source]) -> list[Source]:
        """The sources that can hold a match, the one with the best row first."""
        start, end = self._plan.window.start_ns, self._plan.window.end_ns
        overlapping = [
            source
            for source in sources
            if (start is None or source.bounds.max_time_ns >= start) and (end is None or source.bounds.min_time_ns < end)
        ]
        return sorted(overlapping, key=lambda source: self._rank(_best(self._plan.order, source.bounds)), reverse=True)

    def _rank(self, key: int) -> int:
        """A key such that higher comes first."""
        return key if sql.descending(self._plan) else -key

    def _direct(self) -> Found:
        """Every condition is in SQL."""
        plan = self._plan
        after, beyond_end = self._resolve_offset()
        fetched = [] if beyond_end else self._fetch(after, plan.limit + 1)
        found = Found(self._distinct(fetched[: plan.limit], after), has_more=len(fetched) > plan.limit)
        if plan.first_total is not None:
            found.total, found.total_is_exact = plan.first_total
        elif not found.has_more and not plan.offset:
            found.total = len(found.rows)
        else:
            found.total = sum(self._count(source) for source in self._sources)
        return found

    def _rechecked(self) -> Found:
        """Conditions that only scrubbed rows can answer: candidates are scrubbed until the page is full."""
        plan = self._plan
        matches: list[Row] = []
        exhausted = True
        wanted = plan.offset + plan.limit + 1
        for scanned, row in enumerate(self._stream(plan.after)):
            if scanned >= MAX_CANDIDATES:
                exhausted = False
                self._warnings.append(
                    f"only the first {MAX_CANDIDATES} candidates were compared after scrubbing; narrow the window"
                )
                break
            if all(_holds(row, recheck) for recheck in plan.rechecks):
                matches.append(row)
        page = matches[plan.offset : wanted - 1]
        found = Found(page, has_more=len(matches) >= wanted)
        found.total, found.total_is_exact = plan.first_total or (len(matches), exhausted)
        return found

    def _stream(self, after: Position | None) -> Iterator[Row]:
        """Scrubbed candidates in order."""
        while True:
            rows = self._fetch(after, CHUNK)
            yield from self._distinct(rows, after)
            if len(rows) < CHUNK:
                return
            after = self.position(rows[-1])

    def position(self, row: Row) -> Position:
        """Where a row stands in the plan's order."""
        return Position(row[sql.key_column(self._plan)], row["arrival"])

    def _fetch(self, after: Position | None, limit: int) -> list[Row]:
        """The first rows behind a position over all sources, scrubbed."""
        best: list[_Place] = []
        for source in self._sources:
            if len(best) == limit and self._rank(_best(self._plan.order, source.bounds)) < self._rank(best[-1].key):
                break  # sources are in order of their best row: none behind this one can hold a better row either
            table = self._select(source, sql.page(self._plan, source, after, limit))
            best = self._merge(best, source, table, limit)
        return self._scrubbed(best)

    def _merge(self, best: list[_Place], source: Source, table: pa.Table | None, limit: int) -> list[_Place]:
        if table is None or not table.num_rows:
            return best
        keys = table.column(sql.key_column(self._plan)).to_pylist()
        arrivals = table.column("arrival").to_pylist()
        places = [_Place(key, arrival, source, table, i) for i, (key, arrival) in enumerate(zip(keys, arrivals, strict=True))]
        merged = sorted((*best, *places), key=lambda place: (place.key, place.arrival), reverse=sql.descending(self._plan))
        return merged[:limit]

    def _scrubbed(self, places: Sequence[_Place]) -> list[Row]:
        """The rows at these places, in their order."""
        rows: dict[int, Row] = {}
        tables = {id(place.table): place for place in places}
        for number, first in tables.items():
            chosen = [place for place in places if id(place.table) == number]
            table = first.table.take(pa.array([place.index for place in chosen], pa.int64()))
            hashes = list(set(table.column("origin").to_pylist()))
            origins = origins_of(self._reading.origins(first.source.segment, hashes))
            for row in self._shape.scrubbed(rows_of(table, origins), self._scrubber):
                rows[row["arrival"]] = row
        return [rows[place.arrival] for place in places]

    def _distinct(self, rows: Sequence[Row], after: Position | None) -> list[Row]:
        """The rows without those equal in every field to one before them, on this page or at the end of the last."""
        seen: set[Hashable] = set()
        if after is not None and rows and rows[0][sql.key_column(self._plan)] == after.key:
            seen = {_content(row) for row in self._shown(after)}
        kept = []
        for row in rows:
            content = _content(row)
            if content not in seen:
                seen.add(content)
                kept.append(row)
        return kept

    def _shown(self, after: Position) -> list[Row]:
        places: list[_Place] = []
        for source in self._sources:
            table = self._select(source, sql.shown(self._plan, source, after, MAX_REPEATS))
            places = self._merge(places, source, table, MAX_REPEATS)
        return self._scrubbed(places)

    def _resolve_offset(self) -> tuple[Position | None, bool]:
        """The position of the last row that ``offset`` skips, and whether there are fewer rows than that."""
        plan = self._plan
        if not plan.offset:
            return plan.after, False
        skipped: list[tuple[int, int]] = []
        for source in self._sources:
            table = self._select(source, sql.positions(plan, source, plan.offset))
            if table is not None and table.num_rows:
                skipped += zip(table.column("key").to_pylist(), table.column("arrival").to_pylist(), strict=True)
        skipped.sort(reverse=sql.descending(plan))
        if len(skipped) < plan.offset:
            return None, True
        return Position(*skipped[plan.offset - 1]), False

    def _count(self, source: Source) -> int:
        table = self._select(source, sql.count(self._plan, source))
        return 0 if table is None or not table.num_rows else int(table.column("count")[0].as_py())

    def _select(self, source: Source, statement: Statement) -> pa.Table | None:
        try:
            return self._reading.select(source, statement)
        except SegmentUnreadable as fault:
            warning = f"segment {fault.segment} could not be read; its rows are missing from this answer"
            if warning not in self._warnings:
                self._warnings.append(warning)
            return None


def _best(order: Order, bounds: Bounds) -> int:
    """The key of the best row that a source with these bounds can hold."""
    return {
        Order.NEWEST: bounds.max_time_ns,
        Order.OLDEST: bounds.min_time_ns,
        Order.SLOWEST: bounds.max_duration_ns,
    }[order]


def _content(row: Row) -> Hashable:
    """Everything a row says but its arrival."""
    return tuple(tuple(v) if isinstance(v, list) else v for name, v in row.items() if name != "arrival")


def _holds(row: Row, recheck: Recheck) -> bool:
    """Whether a scrubbed row meets a condition."""
    if recheck.field != "attributes":
        return bool(row[recheck.field] == recheck.wanted)
    wanted: list[Any] = values.values_of_text(recheck.wanted)
    return any(
        attribute.key == recheck.key and attribute.value in wanted
        for attribute in (values.key_value(wire) for wire in row["attributes"])
    )
