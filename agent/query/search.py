"""Finds a page: newest segment first, as few segments as the order allows, scrubbed, without repeated rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from agent import schema
from agent.query import sql
from agent.query.conditions import holds
from agent.query.fetch import Fetch, Fetched
from agent.query.page import Position, Window
from agent.query.plan import Plan
from agent.query.repeats import distinct
from agent.query.rows import Row, Rows, Shape
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading
from agent.store.statement import Source
from agent.store.weight import weight

MAX_CANDIDATES = 20_000
"""Rows scrubbed for one query: a quarter second. Not where raw bodies chose them, whose number must not be told."""

COUNTED = 2000
"""Candidates scrubbed to count matches beyond a full page, or matches counted; with more the total is a lower bound."""

CHUNK = 1000
"""Candidates fetched at once."""


@dataclass(slots=True)
class Found:
    """Scrubbed rows in order, at most the plan's limit, and what is known of the rest.

    ``resume`` is where the next page begins when that is not behind the last row.
    """

    rows: Rows
    total: int = 0
    total_is_exact: bool = True
    has_more: bool = False
    resume: Position | None = None
    warnings: list[str] = field(default_factory=list)


class Search:
    """One plan against one reading; on a reader's thread."""

    def __init__(self, plan: Plan, shape: Shape, reading: Reading, scrubber: Scrubber) -> None:
        self._plan = plan
        self._shape = shape
        self._reading = reading
        self._fetch = Fetch(plan, shape, reading, scrubber)
        self._nothing = Rows.of([], schema.TABLES[plan.signal].names)
        self._repeated = 0
        self._counts: dict[str, int] = {}
        sources = self._fetch.sources
        trace = plan.equal.get("trace_id_high")
        if isinstance(trace, int):
            sources = [_narrowed(source, trace) for source in sources if source.traces is None or source.traces.may_hold(trace)]
            # Where no filter has answered: a count takes a fifth of a page's statement, and most have nothing of a trace.
            sources = [source for source in sources if source.traces is not None or self._count(source)]
        self._fetch.sources = sources

    def run(self) -> Found:
        """The page."""
        found = self._rechecked() if self._plan.rechecks else self._direct()
        if self._plan.first_total is not None:
            found.total, found.total_is_exact = self._plan.first_total
        if self._repeated:
            self._fetch.warn(f"{self._repeated} rows equal in every field to another are shown once; total_count has them")
        for segment in self._reading.damaged:
            self._fetch.warn(f"a block of segment {segment} could not be read; its rows are missing from this answer")
        found.warnings = self._fetch.warnings
        return found

    def _direct(self) -> Found:
        """Every condition is in SQL."""
        plan = self._plan
        after, beyond_end = self._resolve_offset()
        found = Found(self._nothing) if beyond_end else self._fill_page(after)
        if plan.first_total is None and (found.has_more or plan.offset):
            found.total = self._total()
        return found

    def _total(self) -> int:
        """How many rows match in all sources."""
        wanted, is_whole = self._fetch.wanted, not self._reading.damaged and not self._fetch.unreadable
        if wanted is None or self._plan.asks_hot_columns or not is_whole:
            return sum(map(self._count, self._fetch.sources))
        of_segments: dict[str, list[Source]] = {}
        for source in self._fetch.sources:
            of_segments.setdefault(source.segment, []).append(source)
        return sum(self._fetch.count_cold(sources, wanted) for sources in of_segments.values())

    def _fill_page(self, after: Position | None) -> Found:
        """A page behind a position; rows that repeat one already shown, or cannot be read, make room for others."""
        found = Found(self._nothing, resume=after)
        room = self._plan.room
        while True:
            fetched = self._fetch.behind(after, self._plan.limit - len(found.rows), room)
            shown = self._distinct(fetched, after)
            found.rows = found.rows + shown if found.rows else shown
            found.total += len(fetched.rows)
            self._repeated += len(fetched.rows) - len(shown)
            found.has_more, after = fetched.more, fetched.end
            room = room - fetched.size if found.rows else self._plan.room
            if not found.has_more or len(found.rows) == self._plan.limit or room <= 0:
                found.resume = after
                return found

    def _rechecked(self) -> Found:
        """Conditions that only scrubbed rows can answer: candidates are scrubbed until the page is full and counted."""
        found = Found(self._nothing)
        rows: list[Row] = []
        last: Position | None = None
        room = self._plan.room
        for scanned, row in enumerate(self._stream(self._plan.after)):
            full = len(rows) == self._plan.limit
            if self._is_enough(found, scanned, full=full):
                self._stop_early(found, None if full else last, f"looked at {MAX_CANDIDATES} candidates only")
                break
            last = Position(row[sql.key_column(self._plan)], row["arrival"])
            if all(holds(row, recheck, self._shape) for recheck in self._plan.rechecks):
                found.total += 1
                found.has_more = full
                if not full and found.total > self._plan.offset:
                    rows.append(row)
                    room -= weight(self._plan.signal, {name: (cell,) for name, cell in row.items()})
                    if room <= 0:
                        self._stop_early(found, last, "ends early because its records are large")
                        break
        found.rows = Rows.of(rows, schema.TABLES[self._plan.signal].names)
        return found

    def _is_enough(self, found: Found, scanned: int, *, full: bool) -> bool:
        by_matches = found.has_more and found.total >= COUNTED
        return by_matches if self._plan.text is not None else scanned >= (COUNTED if full else MAX_CANDIDATES)

    def _stop_early(self, found: Found, resume: Position | None, why: str) -> None:
        """Leave off among the candidates; with ``resume`` the page is not full and the next one begins there."""
        found.has_more, found.total_is_exact, found.resume = True, False, resume
        if resume is not None:
            self._fetch.warn(f"this page {why}; go on with next_page_token")

    def _stream(self, after: Position | None) -> Iterator[Row]:
        """Scrubbed candidates in order."""
        while True:
            fetched = self._fetch.behind(after, CHUNK, self._plan.room)
            more, end = fetched.more, fetched.end
            yield from self._distinct(fetched, after)
            del fetched  # it need not be held beside the next ones
            if not more:
                return
            after = end

    def _distinct(self, fetched: Fetched, after: Position | None) -> Rows:
        """The rows without those equal in every field to one before them, on this page or at the end of the last."""
        if self._shape.repeats or not fetched.rows:
            return fetched.rows
        key = sql.key_column(self._plan)
        is_on_edge = after is not None and fetched.rows[key][0] == after.key
        return distinct(fetched.rows, key, self._fetch.shown(after) if after is not None and is_on_edge else ())

    def _resolve_offset(self) -> tuple[Position | None, bool]:
        """The position of the last row that ``offset`` skips, and whether there are fewer rows than that."""
        plan = self._plan
        if not plan.offset:
            return plan.after, False
        skipped: list[tuple[Any, ...]] = []
        for source in self._fetch.sources:
            skipped += self._fetch.select(source, partial(sql.positions, plan, limit=plan.offset))
            skipped.sort(reverse=sql.descending(plan))
            del skipped[plan.offset :]
        if len(skipped) < plan.offset:
            return None, True
        return Position(*skipped[plan.offset - 1]), False

    def _count(self, source: Source) -> int:
        if source.relation not in self._counts:
            self._counts[source.relation] = self._counted(source)
        return self._counts[source.relation]

    def _counted(self, source: Source) -> int:
        """How many rows of a source match; of one that does not change and lies mostly in the window, by those outside."""
        start, bounds = self._plan.window.start_ns, source.bounds
        is_mostly_in = start is not None and bounds.min_time_ns < start <= (bounds.min_time_ns + bounds.max_time_ns) // 2
        if not (source.is_fixed and is_mostly_in) or self._fetch.wanted is not None:
            return self._asked(source, self._plan)
        all_since_ever = self._asked(source, replace(self._plan, window=Window(None, self._plan.window.end_ns)))
        return max(0, all_since_ever - self._asked(source, replace(self._plan, window=Window(None, start))))

    def _asked(self, source: Source, plan: Plan) -> int:
        return sum(n for (n,) in self._fetch.select(source, partial(sql.count, plan), self._reading.summarise))


def _narrowed(source: Source, trace: int) -> Source:
    """The source without the rows that cannot be of this trace."""
    return source if source.traces is None else replace(source, ranges=source.traces.ranges(trace))
