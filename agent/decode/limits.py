"""How many records stand in an OTLP request, before anything of it is parsed.

A full parse of 10 MiB of empty spans costs 880 MiB. Counting parses only the envelopes and leaves records as bytes: 195 MiB
for the same body, so bodies over ``LAZY_BYTES`` (40 MiB of memory at the worst) are walked field by field instead, which
costs no memory and stops at the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from otlp_columns import otlp_columns_pb2

from agent import errors
from agent.batch import Signal

LAZY_BYTES = 2 << 20

_MALFORMED = "the body is not an OTLP request: send the protobuf bytes of Export…ServiceRequest, uncut"
_RECORD_WORD = {Signal.TRACES: "spans", Signal.METRICS: "data points", Signal.LOGS: "log records"}
_RESOURCES, _CHILDREN = 1, 2  # field numbers: of the request; of the resource and the scope part
_KINDS, _POINTS = (5, 7, 9, 10, 11), 1  # of a metric: gauge, sum, both histograms, summary; and of each of these
_LENGTH_DELIMITED = 2  # wire type
_GROUP_STEPS = {3: 1, 4: -1}  # by wire type: into a group, out of it
_FIXED_BYTES = {1: 8, 5: 4}  # by wire type
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
    kept = _without_large(signal, payload, max_record_bytes)
    records = _counted(signal, kept, max_records).records
    return kept, records, counts.records - records


def _counted(signal: Signal, payload: bytes, max_records: int, *, sized: bool = True) -> _Counts:
    if len(payload) > LAZY_BYTES:
        counts = _walk(payload, max_records, points=signal is Signal.METRICS)
    else:
        counts = (_parse_points if signal is Signal.METRICS else _parse)(payload, sized=sized)
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


def _without_large(signal: Signal, payload: bytes, max_bytes: int) -> bytes:
    """The request with its small records alone; protobuf keeps every field that the counting messages do not know."""
    if signal is Signal.METRICS:
        metrics = otlp_columns_pb2.CountMetrics.FromString(payload)
        scopes = (scope for part in metrics.resources for scope in part.scopes)
        for metric in (metric for scope in scopes for metric in scope.metrics):
            for _, kind in metric.ListFields():
                kind.data_points[:] = [point for point in kind.data_points if len(point) <= max_bytes]
        return metrics.SerializeToString()
    request = otlp_columns_pb2.CountRequest.FromString(payload)
    for resource in request.resources:
        for scope in resource.scopes:
            scope.records[:] = [record for record in scope.records if len(record) <= max_bytes]
    return request.SerializeToString()


def _over(what: str, max_records: int) -> str:
    return f"the request has {what}, limits.max_records allows {max_records}: send smaller batches"


def _parse(payload: bytes, *, sized: bool) -> _Counts:
    try:
        request = otlp_columns_pb2.CountRequest.FromString(payload)
    except DecodeError:
        raise errors.MalformedExport(_MALFORMED) from None
    counts = _Counts(resources=len(request.resources))
    for resource in request.resources:
        counts.scopes += len(resource.scopes)
        for scope in resource.scopes:
            counts.records += len(scope.records)
            if sized:
                counts.largest = max(counts.largest, max(map(len, scope.records), default=0))
    return counts


def _parse_points(payload: bytes, *, sized: bool) -> _Counts:
    try:
        request = otlp_columns_pb2.CountMetrics.FromString(payload)
    except DecodeError:
        raise errors.MalformedExport(_MALFORMED) from None
    counts = _Counts(resources=len(request.resources))
    for resource in request.resources:
        counts.scopes += len(resource.scopes)
        for scope in resource.scopes:
            counts.metrics += len(scope.metrics)
            for metric in scope.metrics:
                for _, kind in metric.ListFields():
                    counts.records += len(kind.data_points)
                    if sized:
                        counts.largest = max(counts.largest, max(map(len, kind.data_points), default=0))
    return counts


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
    child = number << 3 | _LENGTH_DELIMITED
    group_depth = 0
    while at < end and budget[0] >= 0:
        budget[0] -= 1
        # Nine fields of ten are a child of 128 bytes to 16 KiB: read without a call, each takes a third of the time.
        if payload[at] == child and end - at > 2 and payload[at + 2] < 0x80 <= payload[at + 1]:
            tag, size, at = child, payload[at + 1] & 0x7F | payload[at + 2] << 7, at + 3
        else:
            tag, size, at = _field(payload, at, end)
        group_depth += _GROUP_STEPS.get(tag & 7, 0)
        if size > end - at or group_depth < 0:
            raise errors.MalformedExport(_MALFORMED)
        if tag == child and not group_depth:
            yield at, at + size
        at += size
    if group_depth and budget[0] >= 0:
        raise errors.MalformedExport(_MALFORMED)


def _field(payload: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of the field at ``at``, how long its octets are and where they start; a varint is read over."""
    tag, at = _varint(payload, at, end)
    wire_type = tag & 7
    if not 0 < tag >> 3 < 1 << 29 or wire_type > 5:
        raise errors.MalformedExport(_MALFORMED)
    if wire_type == _LENGTH_DELIMITED:
        size, at = _varint(payload, at, end)
        return tag, size, at
    if wire_type == 0:
        return tag, 0, _varint(payload, at, end)[1]
    return tag, _FIXED_BYTES.get(wire_type, 0), at


def _varint(payload: bytes, at: int, end: int) -> tuple[int, int]:
    """The varint at ``at`` and where it ends."""
    result = shift = 0
    while at < end and shift < 70:
        byte = payload[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
    raise errors.MalformedExport(_MALFORMED)
