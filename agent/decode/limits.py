"""How many records stand in an OTLP request, before anything of it is parsed.

A full parse of 10 MiB of empty spans costs 880 MiB. Counting parses only the envelopes and leaves records as bytes: 195 MiB
for the same body, so bodies over ``LAZY_BYTES`` (40 MiB of memory at the worst) are walked field by field instead, which
costs no memory and stops at the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from otlp_columns import otlp_columns_pb2

from agent import errors
from agent.batch import Signal
from agent.decode.slices import without_large
from agent.decode.wire import GROUP_STEPS, LENGTH_DELIMITED, MALFORMED, field_at

LAZY_BYTES = 2 << 20

_RECORD_WORD = {Signal.TRACES: "spans", Signal.METRICS: "data points", Signal.LOGS: "log records"}
_RESOURCES, _CHILDREN = 1, 2  # field numbers: of the request; of the resource and the scope part
_KINDS, _POINTS = (5, 7, 9, 10, 11), 1  # of a metric: gauge, sum, both histograms, summary; and of each of these
_FIELDS_PER_RECORD = 7
"""A resource part with nothing but one span has seven fields on all levels: more per record is no request of this size."""


@dataclass(slots=True)
class _Counts:
    """How often each level occurs."""

    resources: int = 0
    scopes: int = 0
    metrics: int = 0
    records: int = 0
    largest: int = 0


MAX_RECORD_BYTES = 1 << 20
"""Parsed, a record of nothing but empty attributes takes up to ninety times its bytes."""


def count_records(signal: Signal, payload: bytes, max_records: int) -> int:
    """The number of spans, log records or data points in ``payload``.

    Resource parts, scope parts and metrics are held to the same limit, each by themselves, so that empty ones cannot be
    multiplied.

    Raises:
        TooLarge: more than ``max_records`` of a level.
        MalformedExport: the envelopes cannot be decoded. (What is inside the records is not looked at.)
    """
    return _counted(signal, payload, max_records, sized=False).records


def trimmed(signal: Signal, payload: bytes, max_records: int, max_record_bytes: int) -> tuple[bytes, int, int]:
    """The request without the records that are larger than ``max_record_bytes``, how many are left and how many went.

    Raises:
        TooLarge, MalformedExport: as ``count_records``.
    """
    counts = _counted(signal, payload, max_records, sized=len(payload) > max_record_bytes)
    if counts.largest <= max_record_bytes:
        return payload, counts.records, 0
    kept = without_large(signal, payload, max_record_bytes)
    records = _counted(signal, kept, max_records).records
    return kept, records, counts.records - records


def _counted(signal: Signal, payload: bytes, max_records: int, *, sized: bool = True) -> _Counts:
    """``sized``: whether the largest record is looked for too."""
    points = signal is Signal.METRICS
    if len(payload) > LAZY_BYTES:
        counts = _walk(payload, max_records, points=points)
    else:
        counts = _parse(payload, points=points, sized=sized)
    levels = (
        (counts.records, _RECORD_WORD[signal]),
        (counts.metrics, "metrics"),
        (counts.scopes, "scopes"),
        (counts.resources, "resources"),
    )
    for count, word in levels:
        if count > max_records:
            raise errors.TooLarge(_over(f"{count} {word}", max_records))
    return counts


def _over(what: str, max_records: int) -> str:
    return f"the request has {what}, limits.max_records allows {max_records}: send smaller batches"


def _parse(payload: bytes, *, points: bool, sized: bool) -> _Counts:
    try:
        request: Any = (otlp_columns_pb2.CountMetrics if points else otlp_columns_pb2.CountRequest).FromString(payload)
    except DecodeError:
        raise errors.MalformedExport(MALFORMED) from None
    counts = _Counts(resources=len(request.resources))
    for resource in request.resources:
        counts.scopes += len(resource.scopes)
        for scope in resource.scopes:
            counts.metrics += len(scope.metrics) if points else 0
            for records in _points(scope) if points else (scope.records,):
                counts.records += len(records)
                if sized:
                    counts.largest = max(counts.largest, max(map(len, records), default=0))
    return counts


def _points(scope: otlp_columns_pb2.CountScopeMetrics) -> Iterator[Sequence[bytes]]:
    return (kind.data_points for metric in scope.metrics for _, kind in metric.ListFields())


def _walk(payload: bytes, max_records: int, *, points: bool) -> _Counts:
    """As ``_parse``, but stops once a level is over the limit: its count is then the limit plus one."""
    counts = _Counts()
    fields = _FIELDS_PER_RECORD * max_records * (len(_KINDS) if points else 1)
    budget = [fields]
    for record in _records(payload, counts, budget):
        if record is not None and points:
            counts.metrics += 1
            _count_points(payload, record, budget, counts, max_records)
        elif record is not None:
            counts.records += 1
            counts.largest = max(counts.largest, record[1] - record[0])
        if max(counts.records, counts.metrics, counts.scopes, counts.resources) > max_records:
            return counts
    if budget[0] < 0:
        raise errors.TooLarge(_over(f"more than {fields} fields around its records", max_records))
    return counts


def _records(payload: bytes, counts: _Counts, budget: list[int]) -> Iterator[tuple[int, int] | None]:
    """Where the records are; None for each resource and scope part, which are counted."""
    for resource in _children(payload, _RESOURCES, (0, len(payload)), budget):
        counts.resources += 1
        yield None
        for scope in _children(payload, _CHILDREN, resource, budget):
            counts.scopes += 1
            yield None
            yield from _children(payload, _CHILDREN, scope, budget)


def _count_points(payload: bytes, metric: tuple[int, int], budget: list[int], counts: _Counts, max_records: int) -> None:
    """Count the data points of a metric, up to the limit plus one."""
    for number in _KINDS:
        for kind in _children(payload, number, metric, budget):
            for start, end in _children(payload, _POINTS, kind, budget):
                counts.records += 1
                counts.largest = max(counts.largest, end - start)
                if counts.records > max_records:
                    return


def _children(payload: bytes, number: int, within: tuple[int, int], budget: list[int]) -> Iterator[tuple[int, int]]:
    """Where the sub-messages in field ``number`` of the message at ``within`` start and end.

    ``budget[0]`` is what is left of the fields that may be looked at; when it is used up the walk ends early.
    """
    at, end = within
    child = number << 3 | LENGTH_DELIMITED
    group_depth = 0
    while at < end and budget[0] >= 0:
        budget[0] -= 1
        # Nine fields of ten are a child of 128 bytes to 16 KiB: read without a call, each takes a third of the time.
        if payload[at] == child and end - at > 2 and payload[at + 2] < 0x80 <= payload[at + 1]:
            tag, size, at = child, payload[at + 1] & 0x7F | payload[at + 2] << 7, at + 3
        else:
            tag, size, at = field_at(payload, at, end)
        group_depth += GROUP_STEPS.get(tag & 7, 0)
        if size > end - at or group_depth < 0:
            raise errors.MalformedExport(MALFORMED)
        if tag == child and not group_depth:
            yield at, at + size
        at += size
    if group_depth and budget[0] >= 0:
        raise errors.MalformedExport(MALFORMED)
