"""Ten mebibytes of one empty thing, which fit into nine kibibytes of gzip, for every thing that OTLP lets a sender repeat."""

from __future__ import annotations

from collections.abc import Callable

from agent.batch import Signal
from tests.conformance.wire import field

SIZE = 10 << 20
_IDS = field(1, b"\x01" * 16) + field(2, b"\x02" * 8)
_TIME = b"\x19" + (1_790_000_000_000_000_000).to_bytes(8, "little")  # field 3 of a data point
_NUMBER = b"\x31" + bytes(8)  # as_int


def _many(octets: bytes) -> bytes:
    return octets * (SIZE // len(octets))


def _empty(number: int) -> bytes:
    return _many(field(number, b""))


def _value(kind: int) -> bytes:
    """An attribute whose value is an array (5) or a kvlist (6) of empty things."""
    return field(1, b"k") + field(2, field(kind, _empty(1)))


def _request(scope: bytes, resource: bytes = b"") -> bytes:
    return field(1, resource + field(2, scope))


def _span(more: bytes) -> bytes:
    return _request(field(2, _IDS + more))


def _log(more: bytes) -> bytes:
    return _request(field(2, b"\x09" + (1_790_000_000_000_000_000).to_bytes(8, "little") + more))


def _metric(kind: int, point: bytes, more: bytes = b"") -> bytes:
    temporality = b"\x10\x02" if kind in {7, 9, 10} else b""
    return _request(field(2, field(1, b"m") + field(kind, temporality + field(1, _TIME + point)) + more))


TRACES, LOGS, METRICS = Signal.TRACES, Signal.LOGS, Signal.METRICS
REFUSED = {
    "resources": (TRACES, _empty(1)),
    "scopes": (TRACES, field(1, _empty(2))),
    "spans": (TRACES, _request(_empty(2))),
    "log records": (LOGS, _request(_empty(2))),
    "metrics": (METRICS, _request(_empty(2))),
    "gauge points": (METRICS, _request(field(2, field(5, _empty(1))))),
    "summary points": (METRICS, _request(field(2, field(11, _empty(1))))),
}
"""Counted before anything is parsed."""

INSIDE = {
    "span attributes": (TRACES, _span(_empty(9))),
    "span events": (TRACES, _span(_empty(11))),
    "span links": (TRACES, _span(_empty(13))),
    "array values": (TRACES, _span(field(9, _value(5)))),
    "kvlist values": (TRACES, _span(field(9, _value(6)))),
    "event attributes": (TRACES, _span(field(11, _empty(3)))),
    "resource attributes": (TRACES, _request(field(2, _IDS), field(1, _empty(1)))),
    "entity references": (TRACES, _request(field(2, _IDS), field(1, _empty(3)))),
    "scope attributes": (TRACES, _request(field(1, _empty(3)) + field(2, _IDS))),
    "log attributes": (LOGS, _log(_empty(6))),
    "array in a body": (LOGS, _log(field(5, field(5, _empty(1))))),
    "kvlist in a body": (LOGS, _log(field(5, field(6, _empty(1))))),
    "point attributes": (METRICS, _metric(5, _NUMBER + _empty(7))),
    "exemplars": (METRICS, _metric(5, _NUMBER + _empty(5))),
    "buckets and bounds": (METRICS, _metric(9, field(6, bytes(SIZE // 9 + 1)) + field(7, bytes(SIZE // 9 * 8)))),
    "exponential bucket counts": (METRICS, _metric(10, field(8, field(2, bytes(SIZE))))),
    "quantiles": (METRICS, _metric(11, _empty(6))),
    "metric metadata": (METRICS, _metric(5, _NUMBER, _empty(12))),
}
"""Inside one record, or around it."""

_SPREAD = SIZE // 200


def _spread(tag: int, beside: bytes, record: Callable[[bytes], bytes]) -> bytes:
    """The same inside of two hundred records, each of which is small enough by itself."""
    return field(1, field(2, record(beside + field(tag, b"") * (_SPREAD // 2)) * 200))


DENSE = {
    "span attributes": (TRACES, _spread(9, _IDS, lambda one: field(2, one))),
    "span events": (TRACES, _spread(11, _IDS, lambda one: field(2, one))),
    "span links": (TRACES, _spread(13, _IDS, lambda one: field(2, one))),
    "log attributes": (LOGS, _spread(6, b"", lambda one: field(2, one))),
    "point attributes": (METRICS, _spread(7, _TIME + _NUMBER, lambda one: field(2, field(5, field(1, one))))),
    "exemplars": (METRICS, _spread(5, _TIME + _NUMBER, lambda one: field(2, field(5, field(1, one))))),
}
"""Entries beyond what one request may have."""


_SPANS = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'
JSON_BOMBS = {
    "attributes": _SPANS
    % b'{"traceId":"%s","spanId":"%s","attributes":[%s]}'
    % (b"01" * 16, b"02" * 8, b",".join([b"{}"] * 1_300_000)),
    "spans": _SPANS % b",".join([b"{}"] * 1_300_000),
    "spans of little": _SPANS % b",".join([b'{"attributes":[{},{},{},{},{},{},{},{}]}'] * 60_000),
    "one long text": b'{"resourceSpans":[{"schemaUrl":"%s"}]}' % (b"x" * SIZE),
    "arrays": b"[" + b"[]," * 1_300_000 + b"[]]",
    "arrays inside": b'{"resourceSpans":[{"resource":%s}]}' % (b"[" + b"[]," * 1_300_000 + b"[]]"),
    "numbers": b'{"resourceSpans":[%s1]}' % (b"1," * 4_000_000),
    "blanks": b'{"resourceSpans":[%s]}' % (b" " * SIZE),
    "quotes": _SPANS % b'{"name":"%s"}' % (b'\\"' * (SIZE // 2)),
    "members": b"{%s}" % b",".join(b'"%d":0' % number for number in range(1_000_000)),
    "just under what is read at once": _SPANS % b",".join([b"[]"] * 65_000),
}
"""Little but brackets, or but one thing; all but the last are walked."""


def numbered(payload: bytes, number: int) -> bytes:
    """The same with an unknown field at its end: a request that comes again is not looked at."""
    return payload + field(15, b"%d" % number)
