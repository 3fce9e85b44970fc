"""Thinned series: per metric and attribute set one Step for each stretch of the window, merged over segments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Signal
from agent.query import sql
from agent.query.conditions import wanted_of
from agent.query.fetch import ORIGINS_AT_ONCE
from agent.query.flat import flat_attributes, resource_attributes
from agent.query.parts import Portion, in_parts
from agent.query.plan import Plan
from agent.query.rows import Origin, origins_of
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.statement import Source
from agent.store.weight import text_bytes

STEPS_AT_ONCE = 200_000
"""Raw steps of one segment that are read together."""

MAX_STEPS_KEPT = 200_000
"""Steps of an answer, scrubbed: a hundred series at the finest step. Raw ones do not count, since that would tell of them."""


@dataclass(slots=True)
class _Step:
    """What the points of one stretch say; None where none of them has a number."""

    points: int = 0
    latest_ns: int = -1
    last: float | None = None
    least: float | None = None
    most: float | None = None
    sum: float | None = None
    observations: int | None = None

    def add(self, points: int, latest_ns: int, numbers: tuple[Any, ...]) -> None:
        """Take in the same stretch of another segment."""
        last, least, most, total, observations = numbers
        self.points += points
        if latest_ns >= self.latest_ns and last is not None:
            self.last = last
        if latest_ns >= self.latest_ns and observations is not None:
            self.observations = observations
        self.latest_ns = max(self.latest_ns, latest_ns)
        self.least = _with(min, self.least, least)
        self.most = _with(max, self.most, most)
        self.sum = _with(lambda a, b: a + b, self.sum, total)


def _with(combine: Any, a: float | None, b: float | None) -> float | None:  # noqa: ANN401 min, max or a sum
    return b if a is None else a if b is None else combine(a, b)


@dataclass(slots=True)
class FoundSeries:
    """The series of a plan's window, those with the most points first."""

    series: list[api.Series] = field(default_factory=list)
    total: int = 0
    has_more: bool = False
    is_exact: bool = True
    warnings: list[str] = field(default_factory=list)


def find_series(plan: Plan, reading: Reading, scrubber: Scrubber) -> FoundSeries:
    """The series of a plan; two that scrubbing makes alike are one."""
    found = FoundSeries(warnings=list(plan.warnings))
    merged = _Merged(plan.room)
    for source, rows in _read(plan, reading, found):
        for some in _of_few_origins(rows):
            _merge(merged, some, source, reading, scrubber, plan.room)
    for segment in reading.damaged:
        found.warnings.append(f"a block of segment {segment} could not be read; its points are missing from this answer")
    if merged.is_full:
        found.is_exact = False
        found.warnings.append("too many series to show them all; name a metric or lengthen the step")
    found.total = len(merged.steps)
    page = merged.busiest()[plan.offset : plan.offset + plan.limit]
    found.has_more = found.total > plan.offset + len(page)
    found.series = [_message(plan, key, merged.shown[key], merged.steps[key].items()) for key in page]
    return found


def _merge(
    merged: _Merged, rows: Sequence[tuple[Any, ...]], source: Source, reading: Reading, scrubber: Scrubber, room: int
) -> None:
    """Take in some steps; those whose origin or attributes cannot be read, or whose segment has been retired, are left out."""
    raw = origins_of(reading.origins(source.segment, list({row[0] for row in rows})))
    origins = {value: origin.scrubbed(scrubber) for value, origin in raw.items()}
    for attributes_of in _attributes(reading, source, rows, scrubber, room):
        for origin_hash, *metric, series, step, _, points, latest_ns, last, least, most, total, count in rows:
            origin, clean = origins.get(origin_hash), attributes_of.get(series)
            if origin is None or clean is None:
                continue
            name, unit = scrubber.text(metric[0]), scrubber.text(metric[1])
            key = (origin.service_name, origin.resource, name, unit, *metric[2:], tuple(sorted(clean)))
            stretch = merged.step(key, step, (origin, clean))
            if stretch is not None:
                stretch.add(points, latest_ns, (last, least, most, total, count))


_Key = tuple[Any, ...]
"""What makes a scrubbed series: service, resource, metric, its kind, attributes."""


@dataclass(slots=True)
class _Merged:
    """Steps by scrubbed series, at most ``MAX_STEPS_KEPT`` and ``room`` bytes of series; ``is_full`` when there were more."""

    room: int
    steps: dict[_Key, dict[int, _Step]] = field(default_factory=dict)
    shown: dict[_Key, tuple[Origin, list[bytes]]] = field(default_factory=dict)
    kept: int = 0
    is_full: bool = False

    def step(self, key: _Key, number: int, shown: tuple[Origin, list[bytes]]) -> _Step | None:
        """One stretch of a series; None for a new one when there are too many."""
        known = self.steps.get(key, {}).get(number)
        if known is not None:
            return known
        size = 0 if key in self.steps else _size(key)
        if self.kept == MAX_STEPS_KEPT or size > self.room:
            self.is_full = True
            return None
        self.kept += 1
        self.room -= size
        self.shown.setdefault(key, shown)
        made = self.steps.setdefault(key, {})[number] = _Step()
        return made

    def busiest(self) -> list[_Key]:
        """The series, those with the most points first."""
        return sorted(self.steps, key=lambda key: (-sum(step.points for step in self.steps[key].values()), key[2:]))


def _size(key: _Key) -> int:
    """Bytes that a series' name, unit and attributes take; Resources many have in common."""
    _, _, name, unit, *_, attributes = key
    return text_bytes([(name, unit, *attributes)], range(2 + len(attributes)))


def _read(plan: Plan, reading: Reading, found: FoundSeries) -> Iterator[tuple[Source, Sequence[tuple[Any, ...]]]]:
    """The steps of every source; what cannot be read becomes a warning."""
    wanted = wanted_of(plan)
    for source in [] if plan.nothing else reading.sources(plan.signal):
        matching = source if wanted is None else reading.among(source, plan.signal, wanted)
        ask = partial(_steps, plan, reading, matching)
        try:
            for rows in in_parts(ask, STEPS_AT_ONCE, plan.room, _TEXTS):
                yield source, rows
        except SegmentUnreadable as fault:
            found.warnings.append(f"segment {fault.segment} could not be read; its points are missing from this answer")


_TEXTS = (1, 2)
"""Where a step has its metric's name and unit."""


def _steps(plan: Plan, reading: Reading, source: Source, portion: Portion, room: int) -> Sequence[tuple[Any, ...]]:
    return reading.select(source, sql.steps(plan, source, STEPS_AT_ONCE, portion), _TEXTS, room)


def _of_few_origins(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The steps in runs of no more than ``ORIGINS_AT_ONCE`` origins each."""
    known = {row[0] for row in rows}
    if len(known) <= ORIGINS_AT_ONCE:
        yield rows
        return
    by_origin = sorted(rows, key=itemgetter(0))
    groups = [list(group) for _, group in itertools.groupby(by_origin, itemgetter(0))]
    for first in range(0, len(groups), ORIGINS_AT_ONCE):
        yield list(itertools.chain.from_iterable(groups[first : first + ORIGINS_AT_ONCE]))


def _attributes(
    reading: Reading, source: Source, rows: Sequence[tuple[Any, ...]], scrubber: Scrubber, room: int
) -> Iterator[dict[int, list[bytes]]]:
    """The scrubbed attributes of every series among these steps, read from one of its points; some at a time."""
    one_of = {series: arrival for _, _, _, _, _, _, series, _, arrival, *_ in rows}
    while one_of:
        taken = reading.cold_within(room, source.segment, Signal.METRICS, list(one_of.values()), ["attributes"])
        lists = dict(zip(taken.arrivals, scrubber.attribute_lists(*taken.columns), strict=True))
        yield {series: lists[arrival] for series, arrival in one_of.items() if arrival in lists}
        one_of = {series: arrival for series, arrival in one_of.items() if arrival in taken.left}


def _message(
    plan: Plan, key: tuple[Any, ...], shown: tuple[Origin, list[bytes]], steps: Iterable[tuple[int, _Step]]
) -> api.Series:
    _, _, name, unit, kind, temporality, is_monotonic, _ = key
    origin, attributes = shown
    series = api.Series(
        service_name=origin.service_name,
        metric_name=name,
        unit=unit,
        type=kind,
        temporality=temporality,
        is_monotonic=is_monotonic,
        attributes=flat_attributes(attributes),
        resource_attributes=resource_attributes(origin.resource),
    )
    for number, step in sorted(steps, key=lambda numbered: numbered[0]):
        message = series.steps.add(
            points=step.points,
            last=step.last,
            min=step.least,
            max=step.most,
            sum=step.sum,
            observations=step.observations,
        )
        message.time.FromNanoseconds((plan.window.start_ns or 0) + number * plan.step_ns)
    return series
