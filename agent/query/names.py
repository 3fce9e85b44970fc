"""Which operations, metrics and attribute keys a service has, scrubbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import schema
from agent.batch import Signal
from agent.query import sql
from agent.query.flat import flat_attributes
from agent.query.plan import Names
from agent.query.sql import MAX_NAMES
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.statement import Source, Statement

NEWEST_RECORDS = 2000
"""Records of each segment whose attributes are looked at: keys that only older ones have are not found."""

EXAMPLE_CHARACTERS = 64


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

    def run(self) -> api.ListNamesResponse:
        """The names, most frequent first."""
        for signal in () if self._asked.nothing else schema.TABLES:
            for source in self._reading.sources(signal):
                self._look(signal, source)
        for segment in self._reading.damaged:
            self._found.warnings.append(
                f"a block of segment {segment} could not be read; names may be missing from this answer"
            )
        return self._response()

    def _look(self, signal: Signal, source: Source) -> None:
        found, scrubber = self._found, self._scrubbers[signal]
        clean = scrubber.text
        if signal is Signal.TRACES:
            for name, kind, spans, failed in self._select(source, sql.operations(self._asked, source)):
                found.operations[clean(name), kind] += spans
                found.errors[clean(name), kind] += failed
        elif signal is Signal.METRICS:
            rows = list(self._select(source, sql.metrics(self._asked, source)))
            described = self._reading.cold(source.segment, signal, [arrival for *_, arrival, _ in rows], ["description"])
            for name, kind, unit, arrival, points in rows:
                description = clean(*described.get(arrival, ("",)))
                found.metrics[clean(name), kind, clean(unit), description] += points
        newest = sql.newest(self._asked, source, schema.TIME_COLUMNS[signal], NEWEST_RECORDS)
        arrivals = [arrival for (arrival,) in self._select(source, newest)]
        for (attributes,) in self._reading.cold(source.segment, signal, arrivals, ["attributes"]).values():
            for key, text in flat_attributes(scrubber.attributes(attributes)).items():
                found.keys[signal, key] += 1
                found.examples.setdefault((signal, key), text[:EXAMPLE_CHARACTERS])

    def _select(self, source: Source, statement: Statement) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._reading.select(source, statement)
        except SegmentUnreadable as fault:
            warning = f"segment {fault.segment} could not be read; its names are missing from this answer"
            if warning not in self._found.warnings:
                self._found.warnings.append(warning)

    def _response(self) -> api.ListNamesResponse:
        found = self._found
        response = api.ListNamesResponse(warnings=found.warnings)
        for (name, kind), spans in found.operations.most_common(MAX_NAMES):
            response.operations.add(name=name, kind=kind, spans=spans, errors=found.errors[name, kind])
        for (name, kind, unit, description), points in found.metrics.most_common(MAX_NAMES):
            response.metrics.add(name=name, type=kind, unit=unit, description=description, data_points=points)
        for (signal, key), records in found.keys.most_common(MAX_NAMES):
            response.attribute_keys.add(key=key, signal=signal, example=found.examples[signal, key], records=records)
        for what, count in (("operations", found.operations), ("metrics", found.metrics), ("attribute keys", found.keys)):
            if len(count) > MAX_NAMES:
                response.warnings.append(f"only the {MAX_NAMES} most frequent of {len(count)} {what} are listed")
        return response
