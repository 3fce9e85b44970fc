"""Which operations, metrics and attribute keys a service has, scrubbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import schema
from agent.batch import Signal
from agent.query import sql
from agent.query.flat import flat_attributes
from agent.query.parts import Portion, in_parts
from agent.query.plan import Names
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.statement import Source, Statement

NEWEST_RECORDS = 2000
"""Records of each segment whose attributes are looked at: keys that only older ones have are not found."""

MAX_NAMES = 1000
"""Of each kind, in an answer."""

NAMES_KEPT = 20_000
"""Scrubbed names of each kind that are counted; raw ones do not count, since that would tell of them."""

NAMES_AT_ONCE = 10_000
"""Raw names of one segment that are read together."""

EXAMPLE_CHARACTERS = 64
NO_BOUND = 1 << 62


@dataclass(slots=True)
class _Found:
    """Counts by name, over segments."""

    operations: Counter[tuple[str, int]] = field(default_factory=Counter)
    errors: Counter[tuple[str, int]] = field(default_factory=Counter)
    metrics: Counter[tuple[str, int, str, str]] = field(default_factory=Counter)
    keys: Counter[tuple[Signal, str]] = field(default_factory=Counter)
    examples: dict[tuple[Signal, str], str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class NamesSearch:
    """One question for names against one reading; on a reader's thread."""

    def __init__(self, asked: Names, reading: Reading, scrubbers: Mapping[Signal, Scrubber]) -> None:
        self._asked = asked
        self._reading = reading
        self._scrubbers = scrubbers
        self._found = _Found()

    def run(self, max_bytes: int = NO_BOUND) -> api.ListNamesResponse:
        """The names, most frequent first, as many as fit ``max_bytes``."""
        for signal in (signal for signal in schema.TABLES if signal in self._asked.signals):
            for source in self._reading.sources(signal):
                self._look(signal, source)
        for segment in self._reading.damaged:
            self._found.warnings.append(
                f"a block of segment {segment} could not be read; names may be missing from this answer"
            )
        return self._fitted(max_bytes)

    def _fitted(self, max_bytes: int) -> api.ListNamesResponse:
        """The answer; the rarest names of the longest list go until it fits."""
        response = self._response()
        lists: list[Any] = [response.operations, response.metrics, response.attribute_keys]
        if (size := response.ByteSize()) > max_bytes:
            response.warnings.append("the rarest names were left out: they do not fit into one reply")
        while size > max_bytes and any(lists):
            longest = max(lists, key=len)
            size -= longest[-1].ByteSize()
            del longest[-1]
        return response

    def _look(self, signal: Signal, source: Source) -> None:
        found, scrubber = self._found, self._scrubbers[signal]
        clean = scrubber.text
        if signal is Signal.TRACES:
            for name, kind, spans, failed in self._groups(source, sql.operations):
                self._add(found.operations, (clean(name), kind), spans)
                self._add(found.errors, (clean(name), kind), failed)
        elif signal is Signal.METRICS:
            rows = list(self._groups(source, sql.metrics))
            described = self._reading.cold(source.segment, signal, [arrival for *_, arrival, _ in rows], ["description"])
            for name, kind, unit, arrival, points in rows:
                description = clean(*described.get(arrival, ("",)))
                self._add(found.metrics, (clean(name), kind, clean(unit), description), points)
        newest = sql.newest(self._asked, source, schema.TIME_COLUMNS[signal], NEWEST_RECORDS)
        arrivals = [arrival for (arrival,) in self._select(source, newest)]
        for (attributes,) in self._reading.cold(source.segment, signal, arrivals, ["attributes"]).values():
            for key, text in flat_attributes(scrubber.attributes(attributes)).items():
                self._add(found.keys, (signal, key), 1)
                found.examples.setdefault((signal, key), text[:EXAMPLE_CHARACTERS])

    def _add(self, counts: Counter[Any], name: Hashable, number: int) -> None:
        """Count a scrubbed name, unless it is new and there are too many."""
        if name in counts or len(counts) < NAMES_KEPT:
            counts[name] += number
        else:
            self._warn(f"there are more than {NAMES_KEPT} different names; some are not counted")

    def _groups(self, source: Source, statement: Callable[..., Statement]) -> Iterator[tuple[Any, ...]]:
        """Every raw group of a source, however many there are."""

        def ask(portion: Portion) -> list[tuple[Any, ...]]:
            return list(self._select(source, statement(self._asked, source, NAMES_AT_ONCE, portion)))

        for rows in in_parts(ask, NAMES_AT_ONCE):
            yield from rows

    def _warn(self, warning: str) -> None:
        if warning not in self._found.warnings:
            self._found.warnings.append(warning)

    def _select(self, source: Source, statement: Statement) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._reading.select(source, statement)
        except SegmentUnreadable as fault:
            self._warn(f"segment {fault.segment} could not be read; its names are missing from this answer")

    def _response(self) -> api.ListNamesResponse:
        found = self._found
        response = api.ListNamesResponse(warnings=found.warnings)
        for (name, kind), spans in _frequent(found.operations):
            response.operations.add(name=name, kind=kind, spans=spans, errors=found.errors[name, kind])
        for (name, kind, unit, description), points in _frequent(found.metrics):
            response.metrics.add(name=name, type=kind, unit=unit, description=description, data_points=points)
        for (signal, key), records in _frequent(found.keys):
            response.attribute_keys.add(key=key, signal=signal, example=found.examples[signal, key], records=records)
        for what, count in (("operations", found.operations), ("metrics", found.metrics), ("attribute keys", found.keys)):
            if len(count) > MAX_NAMES:
                response.warnings.append(f"only the {MAX_NAMES} most frequent of {len(count)} {what} are listed")
        return response


def _frequent(counts: Counter[Any]) -> list[tuple[Any, int]]:
    """The most frequent names; among equals by name, for the order in which raw ones came would tell of them."""
    return sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))[:MAX_NAMES]
