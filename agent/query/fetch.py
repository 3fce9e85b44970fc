"""Fetching: the first rows behind a position over all segments, completed as far as the plan's room goes, scrubbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat, takewhile
from operator import itemgetter
from typing import Any, NamedTuple

from agent import schema
from agent.query import sql
from agent.query.conditions import wanted_between, wanted_of
from agent.query.edge import LOOKED_THROUGH, ROOM_FOR_UNEVENNESS, edge_of
from agent.query.fields import Order
from agent.query.page import Position
from agent.query.plan import LEAST_ROOM, Plan
from agent.query.rows import Origin, Rows, Shape, origins_of
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.segment import Bounds
from agent.store.statement import Source, Statement, Wanted
from agent.store.weight import rows_within, text_bytes
from agent.wires import joined_cells, picked_cells

ORIGINS_AT_ONCE = 64
"""Origins read before it is looked how large they are: 32 MiB, of Resources and scopes of 256 KiB each."""

MAX_REPEATS = 1000
"""Rows of one key that are compared across a page's edge to show equal rows once."""

Ask = Callable[[Source, Statement], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Scrubbed rows in order: of all that match up to ``end``, those that could be read.

    ``size`` is about what they take in memory, in bytes. ``more`` says whether matches lie behind ``end``, which then is set.
    """

    rows: Rows
    size: int
    end: Position | None
    more: bool


class _Place(NamedTuple):
    """One fetched row; places sort as they stand, and no two have key, arrival and segment in common."""

    key: int
    arrival: int
    segment: str
    cells: tuple[Any, ...]


class _Cold(NamedTuple):
    """Cold columns, and where in them each arrival stands."""

    places: dict[int, int]
    columns: list[Sequence[Any]]


class Fetch:
    """The rows of one plan in one reading; on a reader's thread.

    ``wanted`` are the plan's conditions on cold columns. ``warnings`` and ``unreadable``, the segments without an answer, grow.
    """

    def __init__(self, plan: Plan, shape: Shape, reading: Reading, scrubber: Scrubber) -> None:
        self._plan = plan
        self._shape = shape
        self._reading = reading
        self._scrubber = scrubber
        self._names = schema.HOT[plan.signal]
        self._origin = self._names.index("origin")
        self._key = self._names.index(sql.key_column(plan))
        self._arrival = self._names.index("arrival")
        self._texts = sql.texts_of(plan.signal)
        self.wanted = wanted_of(plan)
        self.warnings: list[str] = list(plan.warnings)
        self.unreadable: set[str] = set()
        self.sources = [] if plan.nothing else self._overlapping(reading.sources(plan.signal))

    def behind(self, after: Position | None, limit: int, room: int) -> Fetched:
        """The first rows behind a position: at most ``limit``, and no more than ``room`` bytes and one block."""
        best: list[_Place] = []
        full = False
        for source in self.sources:
            if (full or len(best) > limit) and self._rank(_best(self._plan.order, source.bounds)) < self._rank(best[-1].key):
                break  # sources are in order of their best row: none behind this one can hold a better row either
            bar = best[-1].key if full or len(best) > limit else None
            best, is_cut = self._merge(best, source, self._first(source, after, limit + 1, bar, room), limit + 1, room)
            full = full or is_cut
        places, rows, size = self._completed(best[:limit], room)
        end = Position(places[-1].key, places[-1].arrival) if places else None
        return Fetched(rows, size, end, more=full or len(places) < len(best))

    def _first(self, source: Source, after: Position | None, limit: int, bar: int | None, room: int) -> list[tuple[Any, ...]]:
        """The first rows of one source behind a position and not beyond ``bar``, from as small a part as seems to hold them."""
        rows = LOOKED_THROUGH * limit
        while True:
            part = edge_of(self._plan, source.bounds, after, rows) if bar is None else None
            edge = bar if part is None else part
            wanted = wanted_between(self.wanted, self._plan.order, after, edge)
            found = self._hot(source, partial(sql.page, self._plan, after=after, limit=limit, edge=edge), room, wanted)
            if part is None or len(found) == limit or text_bytes(found, self._texts) >= room:
                return found
            rows = rows * ROOM_FOR_UNEVENNESS * limit // max(len(found), 1)

    def shown(self, after: Position) -> Iterator[Rows]:
        """Rows of a position's key at or before it, no more at a time than the plan's room holds."""
        places: list[_Place] = []
        for source in self.sources:
            statement = partial(sql.shown, self._plan, after=after, limit=MAX_REPEATS)
            found = self._hot(source, statement, LEAST_ROOM, wanted_between(self.wanted, self._plan.order, after, after.key))
            places, _ = self._merge(places, source, found, MAX_REPEATS, LEAST_ROOM)
        while places:
            completed, rows, _ = self._completed(places, self._plan.room)
            yield rows
            places = places[len(completed) :]

    def select(self, source: Source, statement: Callable[[Source], Statement], ask: Ask | None = None) -> list[tuple[Any, ...]]:
        """The rows of one statement among those that meet conditions on cold columns; none of an unreadable segment."""
        return self._select(source if self.wanted is None else self._among(source, self.wanted), statement, ask)

    def count_cold(self, sources: Sequence[Source], wanted: Wanted) -> int:
        """How many rows of one segment, of which these are all sources, meet conditions on cold columns, the only ones."""
        count, rest = self._reading.count(sources, self._plan.signal, wanted)
        for source in rest:
            count += sum(n for (n,) in self._select(source, partial(sql.count, self._plan)))
        return count

    def _among(self, source: Source, wanted: Wanted) -> Source:
        return self._reading.among(source, self._plan.signal, wanted)

    def _select(
        self, source: Source, statement: Callable[[Source], Statement], ask: Ask | None = None
    ) -> list[tuple[Any, ...]]:
        try:
            return (ask or self._reading.select)(source, statement(source))
        except SegmentUnreadable as fault:
            self._unreadable(fault)
            return []

    def _hot(
        self, source: Source, statement: Callable[[Source], Statement], room: int, wanted: Wanted | None
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement over hot columns; when their texts take more than ``room``, not all of them."""
        source = source if wanted is None else self._among(source, wanted)
        return self._select(source, statement, partial(self._reading.select, texts=self._texts, room=room))

    def warn(self, warning: str) -> None:
        """Say so once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

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

    def _merge(
        self, best: list[_Place], source: Source, fetched: Sequence[tuple[Any, ...]], limit: int, room: int
    ) -> tuple[list[_Place], bool]:
        """The best of both, as far as ``room`` bytes of hot text go; whether rows were left for want of it."""
        cells = (map(itemgetter(self._key), fetched), map(itemgetter(self._arrival), fetched), repeat(source.segment), fetched)
        places = list(map(_Place._make, zip(*cells, strict=False)))
        merged = sorted((*best, *places), reverse=sql.descending(self._plan))[:limit] if best else places
        count = rows_within(room, [place.cells for place in merged], self._texts)
        return merged[:count], count < len(merged)

    def _completed(self, places: Sequence[_Place], room: int) -> tuple[Sequence[_Place], Rows, int]:
        """As many of these places as ``room`` bytes hold, at least one; the rows there, in their order; their bytes."""
        held, cold, size = self._cold(places, room)
        likely = len(cold.places) * room // max(size, 1)
        if len(held) < min(likely, len(places)):
            # The blocks read so far hold mostly rows from further down: of fewer places, all blocks have room.
            del cold
            held, cold, size = self._cold(places[:likely], room)
        count, origins, of_origins = self._origins(held, room)
        held = held[:count]
        hot = text_bytes([place.cells for place in held], self._texts)
        return held, self._shape.scrubbed(self._rows(held, cold, origins), self._scrubber), size + of_origins + hot

    def _rows(self, places: Sequence[_Place], cold: _Cold, origins: Mapping[int, Origin]) -> Rows:
        """The rows in these places; without those whose segment may have been retired since they were found."""
        there = [place for place in places if place.cells[self._origin] in origins and place.arrival in cold.places]
        if not there:
            return Rows.of([], schema.TABLES[self._plan.signal].names)
        columns = dict(zip(self._names, zip(*[place.cells for place in there], strict=True), strict=True))
        rank = [cold.places[place.arrival] for place in there]
        of_cold = zip(schema.COLD[self._plan.signal], cold.columns, strict=True)
        return Rows(
            columns
            | {"origin": list(map(origins.__getitem__, columns["origin"]))}
            | {name: picked_cells(cells, rank) for name, cells in of_cold}
        )

    def _cold(self, places: Sequence[_Place], room: int) -> tuple[Sequence[_Place], _Cold, int]:
        """The first of these places, up to one left for want of room; their cold columns, and the bytes those take."""
        arrivals: dict[str, list[int]] = {}
        for place in places:
            arrivals.setdefault(place.segment, []).append(place.arrival)
        known: list[int] = []
        parts: list[list[Sequence[Any]]] = []
        left: set[int] = set()
        size = 0
        for segment, wanted in arrivals.items():  # the first place's first, so that it is never among those left
            taken = self._reading.cold_within(room - size, segment, self._plan.signal, wanted)
            known += taken.arrivals
            parts.append(taken.columns)
            left |= taken.left
            size += taken.size
        held = list(takewhile(lambda place: place.arrival not in left, places)) if left else places
        columns = [joined_cells(of_all) for of_all in zip(*parts, strict=True)]
        return held, _Cold({arrival: at for at, arrival in enumerate(known)}, columns), size

    def _origins(self, places: Sequence[_Place], room: int) -> tuple[int, dict[int, Origin], int]:
        """How many of these places have their origins within ``room`` bytes; the origins by hash; their bytes."""
        found: dict[int, Origin] = {}
        count = size = 0
        for some in _of_few_origins(places, self._origin):
            hashes: dict[str, set[int]] = {}
            for place in some:
                hashes.setdefault(place.segment, set()).add(place.cells[self._origin])
            for segment, wanted in hashes.items():
                try:
                    read = origins_of(self._reading.origins(segment, wanted - found.keys()))
                except SegmentUnreadable as fault:
                    self._unreadable(fault)
                    continue
                found |= read
                size += sum(len(origin.resource or b"") + len(origin.scope or b"") for origin in read.values())
            count += len(some)
            if size >= room:
                break
        return count, found, size

    def _unreadable(self, fault: SegmentUnreadable) -> None:
        self.unreadable.add(fault.segment)
        self.warn(f"segment {fault.segment} could not be read; its rows are missing from this answer")


def _of_few_origins(places: Sequence[_Place], origin: int) -> Iterator[Sequence[_Place]]:
    """The places in runs of no more than ``ORIGINS_AT_ONCE`` origins each."""
    begin, known = 0, set[int]()
    for at, place in enumerate(places):
        known.add(place.cells[origin])
        if len(known) > ORIGINS_AT_ONCE:
            yield places[begin:at]
            begin, known = at, {place.cells[origin]}
    yield places[begin:]


def _best(order: Order, bounds: Bounds) -> int:
    """The key of the best row that a source with these bounds can hold."""
    return {
        Order.NEWEST: bounds.max_time_ns,
        Order.OLDEST: bounds.min_time_ns,
        Order.SLOWEST: bounds.max_duration_ns,
    }[order]
