"""Finds a page: newest segment first, as few segments as the order allows, scrubbed, without repeated rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from agent import schema
from agent.query import sql
from agent.query.conditions import holds, wanted_of
from agent.query.fields import Order
from agent.query.page import Position
from agent.query.plan import Plan
from agent.query.rows import Origin, Row, Shape, origins_of, row_of
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.segment import Bounds
from agent.store.statement import Source, Statement

MAX_CANDIDATES = 20_000
"""Rows scrubbed for one query: a quarter second. Not where raw bodies chose them, whose number must not be told."""

COUNTED = 2000
"""Candidates scrubbed to count matches beyond a full page, or matches counted; with more the total is a lower bound."""

CHUNK = 1000
"""Candidates fetched at once."""

MAX_REPEATS = 1000
"""Rows of one key that are compared across a page's edge to show equal rows once."""


@dataclass(slots=True)
class Found:
    """Scrubbed rows in order, at most the plan's limit, and what is known of the rest.

    ``resume`` is where the next page begins when that is not behind the last row.
    """

    rows: list[Row] = field(default_factory=list)
    total: int = 0
    total_is_exact: bool = True
    has_more: bool = False
    resume: Position | None = None
    warnings: list[str] = field(default_factory=list)


class _Place(NamedTuple):
    """One fetched row; places sort as they stand, and no two have key, arrival and segment in common."""

    key: int
    arrival: int
    segment: str
    cells: tuple[Any, ...]


Ask = Callable[[Source, Statement], list[tuple[Any, ...]]]


class Search:
    """One plan against one reading; on a reader's thread."""

    def __init__(self, plan: Plan, shape: Shape, reading: Reading, scrubber: Scrubber) -> None:
        self._plan = plan
        self._shape = shape
        self._reading = reading
        self._scrubber = scrubber
        self._repeated = 0
        self._names = schema.HOT[plan.signal]
        self._cold = schema.COLD[plan.signal]
        self._warnings: list[str] = list(plan.warnings)
        self._counts: dict[str, int] = {}
        self._wanted = wanted_of(plan)
        self._sources = [] if plan.nothing else self._overlapping(reading.sources(plan.signal))
        trace = plan.equal.get("trace_id_high")
        if isinstance(trace, int):
            self._sources = [source for source in self._sources if source.traces is None or source.traces.may_hold(trace)]
            # Where no filter has answered: a count takes a fifth of a page's statement, and most have nothing of a trace.
            self._sources = [source for source in self._sources if source.traces is not None or self._count(source)]

    def run(self) -> Found:
        """The page."""
        found = self._rechecked() if self._plan.rechecks else self._direct()
        if self._plan.first_total is not None:
            found.total, found.total_is_exact = self._plan.first_total
        if self._repeated:
            self._warnings.append(f"{self._repeated} rows equal in every field to another are shown once; total_count has them")
        for segment in self._reading.damaged:
            self._warn(f"a block of segment {segment} could not be read; its rows are missing from this answer")
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
        found = Found() if beyond_end else self._fill_page(after)
        if plan.first_total is None and (found.has_more or plan.offset):
            found.total = sum(self._count(source) for source in self._sources)
        return found

    def _fill_page(self, after: Position | None) -> Found:
        """A page behind a position; rows that repeat one already shown make room for others."""
        found = Found()
        while True:
            lacking = self._plan.limit - len(found.rows)
            fetched = self._fetch(after, lacking + 1)
            rows = fetched[:lacking]
            shown = self._distinct(rows, after)
            found.rows += shown
            found.total += len(rows)
            self._repeated += len(rows) - len(shown)
            found.has_more = len(fetched) > lacking
            if not found.has_more or len(found.rows) == self._plan.limit:
                return found
            after = self.position(fetched[lacking - 1])

    def _rechecked(self) -> Found:
        """Conditions that only scrubbed rows can answer: candidates are scrubbed until the page is full and counted."""
        found = Found()
        last: Position | None = None
        for scanned, row in enumerate(self._stream(self._plan.after)):
            full = len(found.rows) == self._plan.limit
            if self._is_enough(found, scanned, full=full):
                self._stop_early(found, None if full else last)
                break
            last = self.position(row)
            if all(holds(row, recheck, self._shape) for recheck in self._plan.rechecks):
                found.total += 1
                found.has_more = full
                if not full and found.total > self._plan.offset:
                    found.rows.append(row)
        return found

    def _is_enough(self, found: Found, scanned: int, *, full: bool) -> bool:
        by_matches = found.has_more and found.total >= COUNTED
        return by_matches if self._plan.text is not None else scanned >= (COUNTED if full else MAX_CANDIDATES)

    def _stop_early(self, found: Found, resume: Position | None) -> None:
        """Leave off among the candidates; with ``resume`` the page is not full and the next one begins there."""
        found.has_more, found.total_is_exact, found.resume = True, False, resume
        if resume is not None:
            self._warnings.append(f"this page looked at {MAX_CANDIDATES} candidates only; go on with next_page_token")

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
            best = self._merge(
                best, source, self._select(source, partial(sql.page, self._plan, after=after, limit=limit)), limit
            )
        return self._scrubbed(best)

    def _merge(self, best: list[_Place], source: Source, fetched: Sequence[tuple[Any, ...]], limit: int) -> list[_Place]:
        key, arrival = self._names.index(sql.key_column(self._plan)), self._names.index("arrival")
        places = [_Place(cells[key], cells[arrival], source.segment, cells) for cells in fetched]
        merged = sorted((*best, *places), reverse=sql.descending(self._plan))
        return merged[:limit]

    def _scrubbed(self, places: Sequence[_Place]) -> list[Row]:
        """The rows at these places, in their order."""
        origin = self._names.index("origin")
        hashes: dict[str, set[int]] = {}
        arrivals: dict[str, list[int]] = {}
        for place in places:
            hashes.setdefault(place.segment, set()).add(place.cells[origin])
            arrivals.setdefault(place.segment, []).append(place.arrival)
        origins: dict[int, Origin] = {}
        cold: dict[int, tuple[Any, ...]] = {}
        for segment, wanted in hashes.items():
            cold |= self._reading.cold(segment, self._plan.signal, arrivals[segment], self._cold)
            try:
                origins |= origins_of(self._reading.origins(segment, list(wanted - origins.keys())))
            except SegmentUnreadable as fault:
                self._unreadable(fault)
        # A segment may have been retired since its rows were read; then they are gone.
        known = (
            row_of((*self._names, *self._cold), (*place.cells, *cold[place.arrival]), origins)
            for place in places
            if place.cells[origin] in origins and place.arrival in cold
        )
        return self._shape.scrubbed(known, self._scrubber)

    def _unreadable(self, fault: SegmentUnreadable) -> None:
        self._warn(f"segment {fault.segment} could not be read; its rows are missing from this answer")

    def _warn(self, warning: str) -> None:
        if warning not in self._warnings:
            self._warnings.append(warning)

    def _distinct(self, rows: Sequence[Row], after: Position | None) -> list[Row]:
        """The rows without those equal in every field to one before them, on this page or at the end of the last."""
        if self._shape.repeats:
            return list(rows)
        key = sql.key_column(self._plan)
        seen: set[Hashable] = set()
        if after is not None and rows and rows[0][key] == after.key:
            seen = {_content(row) for row in self._shown(after)}
        kept = []
        for _, group in itertools.groupby(rows, lambda row: row[key]):
            alike = list(group)
            if len(alike) == 1 and not seen:
                kept += alike  # nearly every row: equal rows have equal keys
                continue
            for row in alike:
                content = _content(row)
                if content not in seen:
                    seen.add(content)
                    kept.append(row)
            seen = set()
        return kept

    def _shown(self, after: Position) -> list[Row]:
        places: list[_Place] = []
        for source in self._sources:
            places = self._merge(
                places,
                source,
                self._select(source, partial(sql.shown, self._plan, after=after, limit=MAX_REPEATS)),
                MAX_REPEATS,
            )
        return self._scrubbed(places)

    def _resolve_offset(self) -> tuple[Position | None, bool]:
        """The position of the last row that ``offset`` skips, and whether there are fewer rows than that."""
        plan = self._plan
        if not plan.offset:
            return plan.after, False
        skipped: list[tuple[Any, ...]] = []
        for source in self._sources:
            skipped += self._select(source, partial(sql.positions, plan, limit=plan.offset))
            skipped.sort(reverse=sql.descending(plan))
            del skipped[plan.offset :]
        if len(skipped) < plan.offset:
            return None, True
        return Position(*skipped[plan.offset - 1]), False

    def _count(self, source: Source) -> int:
        if source.relation not in self._counts:
            found = self._select(source, partial(sql.count, self._plan), self._reading.summarise)
            self._counts[source.relation] = sum(n for (n,) in found)
        return self._counts[source.relation]

    def _select(
        self, source: Source, statement: Callable[[Source], Statement], ask: Ask | None = None
    ) -> list[tuple[Any, ...]]:
        if self._wanted is not None:
            source = self._reading.among(source, self._plan.signal, self._wanted)
        try:
            return (ask or self._reading.select)(source, statement(source))
        except SegmentUnreadable as fault:
            self._unreadable(fault)
            return []


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
