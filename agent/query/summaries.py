"""Spans as one-minute summaries, scrubbed: what the colony keeps for a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from agent import services
from agent.batch import Signal
from agent.clock import MINUTE_NS
from agent.errors import InvalidQuery
from agent.query.encode import FRAMING_BYTES
from agent.query.parts import Portion, in_parts
from agent.query.plan import LEAST_ROOM
from agent.query.summary_sql import GAMMA, MAX_ROWS, SAMPLES, Summarised, buckets, can_match, samples
from agent.scrub.scrubber import TEXT_CHARACTERS, Scrubber
from agent.services import OwnServices
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.statement import Source, Statement
from agent.store.weight import rows_within, text_bytes

DEFAULT_MINUTES = 5
MAX_MINUTES = 24 * 60

MAX_OPERATIONS = 1000
"""Of a minute, scrubbed: the most frequent; the others are counted together, by service."""

MAX_GROUPS = 20_000
"""Scrubbed operations of a minute that are counted apart before the rare ones are joined."""

_Group = tuple[str, str | None, int]
"""Service, operation (None: the rest) and kind, scrubbed."""

_TEXTS = (0, 1)
"""Where rows and groups have their texts."""

_Slow = tuple[int, int, int]
"""A span's duration and the halves of its trace id."""


@dataclass(slots=True)
class _Summary:
    """The spans of one group that ended in one minute."""

    errors: int = 0
    zeros: int = 0
    buckets: Counter[int] = field(default_factory=Counter)
    slowest: set[_Slow] = field(default_factory=set)
    failed: set[_Slow] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Its spans."""
        return self.zeros + self.buckets.total()

    def add(self, other: _Summary) -> None:
        """Count another group's spans in."""
        self.errors += other.errors
        self.zeros += other.zeros
        self.buckets.update(other.buckets)
        self.slowest |= other.slowest
        self.failed |= other.failed


def asked_of(request: api.QuerySpanSummariesRequest, now_ns: int, own: OwnServices, scrubber: Scrubber) -> Summarised:
    """The checked question.

    Raises:
        InvalidQuery: the window cannot be.
    """
    end = -(-_ns(request, "end_time", now_ns + 1) // MINUTE_NS) * MINUTE_NS
    start = _ns(request, "start_time", end - DEFAULT_MINUTES * MINUTE_NS) // MINUTE_NS * MINUTE_NS
    if not 0 <= start < end < 2**62:
        raise InvalidQuery("start_time must be before end_time, and both after 1970: the window is empty")
    if end - start > MAX_MINUTES * MINUTE_NS:
        raise InvalidQuery(f"the window has {(end - start) // MINUTE_NS} minutes; at most {MAX_MINUTES} are allowed")
    wanted = services.normal(request.service_name) or None
    is_changed = wanted is not None and not scrubber.keeps(wanted)
    return Summarised(start, end, tuple(sorted(own.names)) or None, wanted, nothing=is_changed)


def _ns(request: api.QuerySpanSummariesRequest, name: str, default_ns: int) -> int:
    time: Timestamp = getattr(request, name)
    return time.ToNanoseconds() if request.HasField(name) else default_ns


class Summing:
    """One question for summaries against one reading; on a reader's thread.

    Minute by minute: each minute's groups are bounded, and an answer ends between two. ``room`` is about how many bytes of raw
    names may be held at once, and how many of scrubbed ones.
    """

    def __init__(self, asked: Summarised, reading: Reading, scrubber: Scrubber, room: int = LEAST_ROOM) -> None:
        self._asked = asked
        self._reading = reading
        self._scrubber = scrubber
        self._groups: dict[_Group, _Summary] = {}
        self._texts: dict[str, str] = {}
        self._warnings: list[str] = []
        self._room = self._names_room = room
        self._held = 0

    def run(self, max_bytes: int) -> api.QuerySpanSummariesResponse:
        """The summaries, as many minutes as fit ``max_bytes``; one with spans at least."""
        self._names_room = max_bytes // 2
        response = api.QuerySpanSummariesResponse(gamma=GAMMA)
        sources = [] if self._asked.nothing else self._reading.sources(Signal.TRACES)
        for start_ns in range(self._asked.start_ns, self._asked.end_ns, MINUTE_NS):
            messages = self._minute(sources, start_ns)
            max_bytes -= sum(message.ByteSize() + FRAMING_BYTES for message in messages)
            if max_bytes < 0 and response.summaries:
                response.next_start_time.FromNanoseconds(start_ns)
                break
            response.summaries.extend(messages)
        response.warnings.extend(self._warnings)
        return response

    def _minute(self, sources: Iterable[Source], start_ns: int) -> list[api.SpanSummary]:
        """One minute's summaries, by name."""
        self._groups, self._held = {}, 0
        asked = replace(self._asked, start_ns=start_ns, end_ns=start_ns + MINUTE_NS)
        for source in sources:
            if can_match(asked, source):
                self._count(asked, source)
                self._sample(asked, source)
        self._join_rare()
        return [_message(start_ns, group, summary) for group, summary in sorted(self._groups.items(), key=_by_name)]

    def _count(self, asked: Summarised, source: Source) -> None:
        for service, name, kind, bucket, spans, errors in self._select(source, partial(buckets, asked, source)):
            summary = self._summary(service, name, kind)
            summary.errors += errors
            if bucket is None:
                summary.zeros += spans
            else:
                summary.buckets[bucket] += spans

    def _sample(self, asked: Summarised, source: Source) -> None:
        for service, name, kind, slowest, failed in self._select(source, partial(samples, asked, source)):
            summary = self._summary(service, name, kind)
            summary.slowest.update(slowest)
            summary.failed.update(failed or ())

    def _summary(self, service: str, name: str, kind: int) -> _Summary:
        group: _Group = (self._clean(service), self._clean(name), kind)
        if group not in self._groups:
            size = text_bytes([group], _TEXTS)
            if len(self._groups) >= MAX_GROUPS or self._held + size > self._room:
                group = _rest(group)
            else:
                self._held += size
        return self._groups.setdefault(group, _Summary())

    def _join_rare(self) -> None:
        """Count all but the most frequent operations together, by service; by scrubbed names, since raw ones would tell.

        Long names fill a reply before there are ``MAX_OPERATIONS``: they may take half of one.
        """
        named = [group for group in self._groups if group[1] is not None]
        if len(named) <= MAX_OPERATIONS and self._held < self._names_room:
            return
        named.sort(key=lambda group: (-self._groups[group].count, group))
        fitting = rows_within(self._names_room, named, _TEXTS)
        for group in named[min(MAX_OPERATIONS, fitting) :]:
            rare = self._groups.pop(group)
            self._groups.setdefault(_rest(group), _Summary()).add(rare)

    def _clean(self, text: str) -> str:
        known = self._texts.get(text)
        if known is None:
            if len(self._texts) >= MAX_GROUPS:
                self._texts.clear()
            known = self._scrubber.text(text)
            if len(text) <= TEXT_CHARACTERS:
                self._texts[text] = known
        return known

    def _select(self, source: Source, statement: Callable[[Portion], Statement]) -> Iterator[tuple[Any, ...]]:
        try:
            for rows in in_parts(partial(self._ask, source, statement), MAX_ROWS, self._room, _TEXTS):
                yield from rows
        except SegmentUnreadable as fault:
            self._warn(f"segment {fault.segment} could not be read; its spans are not counted")

    def _ask(
        self, source: Source, statement: Callable[[Portion], Statement], portion: Portion, room: int
    ) -> Sequence[tuple[Any, ...]]:
        return self._reading.select(source, statement(portion), _TEXTS, room)

    def _warn(self, warning: str) -> None:
        if warning not in self._warnings:
            self._warnings.append(warning)


def _rest(group: _Group) -> _Group:
    """What a service's rare operations are counted under."""
    return group[0], None, 0


def _by_name(entry: tuple[_Group, _Summary]) -> tuple[str, str, int]:
    service, name, kind = entry[0]
    return service, name or "", kind


def _trace_id(high: int, low: int) -> str:
    return (high.to_bytes(8, "little") + low.to_bytes(8, "little")).hex()


def _message(minute_ns: int, group: _Group, summary: _Summary) -> api.SpanSummary:
    service, name, kind = group
    message = api.SpanSummary(
        service_name=service,
        operation_name=name or "",
        kind=kind,  # type: ignore[arg-type] # its number
        count=summary.count,
        errors=summary.errors,
        zero_count=summary.zeros,
        bucket_indexes=sorted(summary.buckets),
        bucket_counts=[summary.buckets[bucket] for bucket in sorted(summary.buckets)],
        slowest_trace_ids=_first(summary.slowest),
        failed_trace_ids=_first(summary.failed),
        is_rest=name is None,
    )
    message.minute.FromNanoseconds(minute_ns)
    return message


def _first(slow: set[_Slow]) -> Iterator[str]:
    """The traces of the slowest spans, each once."""
    return iter(list(dict.fromkeys(_trace_id(high, low) for _, high, low in sorted(slow, reverse=True)))[:SAMPLES])
