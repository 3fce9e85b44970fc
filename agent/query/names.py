"""Which operations, metrics and attribute keys a service has, scrubbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import schema
from agent.batch import Signal
from agent.query import sql
from agent.query.flat import flat_attributes
from agent.query.parts import Portion, in_parts
from agent.query.plan import LEAST_ROOM, Names
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.statement import Source, Statement
from agent.store.weight import UNBOUNDED, text_bytes

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
    """One question for names against one reading; on a reader's thread.

    ``room`` is about how many bytes of raw rows may be held at once, and how many of scrubbed names.
    """

    def __init__(self, asked: Names, reading: Reading, scrubbers: Mapping[Signal, Scrubber], room: int = LEAST_ROOM) -> None:
        self._asked = asked
        self._reading = reading
        self._scrubbers = scrubbers
        self._found = _Found()
        self._room = room
        self._held = 0

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
        if signal is Signal.TRACES:
            for rows in self._groups(source, sql.operations, (0,)):
                self._operations(rows)
        elif signal is Signal.METRICS:
            for rows in self._groups(source, sql.metrics, (0, 2)):
                self._metrics(source, rows)
        newest = sql.newest(self._asked, source, schema.TIME_COLUMNS[signal], NEWEST_RECORDS)
        arrivals = [arrival for (arrival,) in self._select(source, newest)]
        for some in self._cold(source, signal, arrivals, "attributes"):
            for attributes in some.values():
                self._keys(signal, attributes)

    def _operations(self, spans: Iterable[tuple[Any, ...]]) -> None:
        for raw, kind, count, failed in spans:
            name = self._scrubbers[Signal.TRACES].text(raw), kind
            if self._add(self._found.operations, name, count):
                self._found.errors[name] += failed

    def _metrics(self, source: Source, metrics: Sequence[tuple[Any, ...]]) -> None:
        """Count metrics by what one of their points says of them."""
        clean = self._scrubbers[Signal.METRICS].text
        waiting = {arrival: (name, kind, unit, points) for name, kind, unit, arrival, points in metrics}
        for described in self._cold(source, Signal.METRICS, list(waiting), "description"):
            for arrival, description in described.items():
                name, kind, unit, points = waiting.pop(arrival)
                self._add(self._found.metrics, (clean(name), kind, clean(unit), clean(description)), points)
        for name, kind, unit, points in waiting.values():  # what it says could not be read
            self._add(self._found.metrics, (clean(name), kind, clean(unit), ""), points)

    def _keys(self, signal: Signal, attributes: list[bytes]) -> None:
        for key, text in flat_attributes(self._scrubbers[signal].attributes(attributes)).items():
            if self._add(self._found.keys, (signal, key), 1):
                self._found.examples.setdefault((signal, key), text[:EXAMPLE_CHARACTERS])

    def _cold(self, source: Source, signal: Signal, arrivals: list[int], name: str) -> Iterator[dict[int, Any]]:
        """One cold column of these rows by arrival number, no more at a time than there is room for."""
        while arrivals:
            taken = self._reading.cold_within(self._room, source.segment, signal, arrivals, (name,))
            arrivals = [arrival for arrival in arrivals if arrival in taken.left]
            found = taken.rows
            del taken  # it need not be held beside the next ones
            yield {arrival: value for arrival, (value,) in found.items()}
            found.clear()

    def _add(self, counts: Counter[Any], name: tuple[Any, ...], number: int) -> bool:
        """Count a scrubbed name, unless it is new and there are too many, or they take too much room."""
        if name not in counts:
            size = text_bytes([name], [place for place, part in enumerate(name) if isinstance(part, str)])
            if len(counts) >= NAMES_KEPT or self._held + size > self._room:
                self._warn(f"there are more than {NAMES_KEPT} different names, or very long ones; some are not counted")
                return False
            self._held += size
        counts[name] += number
        return True

    def _groups(
        self, source: Source, statement: Callable[..., Statement], texts: Sequence[int]
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Every raw group of a source, however many there are, some at a time."""

        def ask(portion: Portion, room: int) -> Sequence[tuple[Any, ...]]:
            return self._select(source, statement(self._asked, source, NAMES_AT_ONCE, portion), texts, room)

        yield from in_parts(ask, NAMES_AT_ONCE, self._room, texts)

    def _warn(self, warning: str) -> None:
        if warning not in self._found.warnings:
            self._found.warnings.append(warning)

    def _select(
        self, source: Source, statement: Statement, texts: Sequence[int] = (), room: int = UNBOUNDED
    ) -> Sequence[tuple[Any, ...]]:
        try:
            return self._reading.select(source, statement, texts, room)
        except SegmentUnreadable as fault:
            self._warn(f"segment {fault.segment} could not be read; its names are missing from this answer")
            return ()

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
