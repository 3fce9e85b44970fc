"""Counting records before anything is parsed."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent import errors
from agent.batch import Signal
from agent.decode import limits
from agent.decode.limits import count_records, trimmed


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _field(number: int, octets: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(octets)) + octets


def _records(count: int) -> bytes:
    """Of any signal; as a metric, a record is a gauge of one point."""
    return _field(1, _field(2, _field(2, _field(5, _field(1, b""))) * count))


def _large(payload: bytes) -> bytes:
    """The same request with an unknown field that makes it too long to be parsed lazily."""
    return payload + _field(15, b"x" * limits.LAZY_BYTES)


@pytest.mark.parametrize("form", [bytes, _large], ids=["parsed", "walked"])
class TestBothWays:
    def test_records_of_all_scopes_and_resources_are_counted(self, form):
        request = ExportTraceServiceRequest()
        for _ in range(3):
            resource_spans = request.resource_spans.add(schema_url="https://example.org/schema")
            resource_spans.resource.attributes.add(key="service.name").value.string_value = "checkout" * 50
            for _ in range(2):
                scope_spans = resource_spans.scope_spans.add(schema_url="x")
                scope_spans.scope.name = "scope"
                scope_spans.spans.add(name="short")
                scope_spans.spans.add(name="x" * 300)
                scope_spans.spans.add(name="x" * 20_000)
        assert count_records(Signal.TRACES, form(request.SerializeToString()), 18) == 18

    @pytest.mark.parametrize("payload", [b"", _field(1, b""), _field(1, _field(2, b""))])
    def test_empty_envelopes_have_no_records(self, form, payload):
        assert count_records(Signal.LOGS, form(payload), 10) == 0

    @pytest.mark.parametrize(
        ("signal", "word"), [(Signal.TRACES, "spans"), (Signal.LOGS, "log records"), (Signal.METRICS, "data points")]
    )
    def test_one_record_over_the_limit_is_too_large(self, form, signal, word):
        assert count_records(signal, form(_records(10)), 10) == 10
        with pytest.raises(errors.TooLarge, match=rf"11 {word}, limits\.max_records allows 10: "):
            count_records(signal, form(_records(11)), 10)

    def test_the_points_of_every_kind_of_metric_are_counted_and_empty_metrics_cannot_be_multiplied(self, form):
        kinds = b"".join(_field(2, _field(kind, _field(1, b"") * 2)) for kind in (5, 7, 9, 10, 11))
        assert count_records(Signal.METRICS, form(_field(1, _field(2, kinds))), 10) == 10
        with pytest.raises(errors.TooLarge, match="11 data points"):
            count_records(Signal.METRICS, form(_field(1, _field(2, _field(2, _field(9, _field(1, b"") * 11))))), 10)
        with pytest.raises(errors.TooLarge, match="11 metrics"):
            count_records(Signal.METRICS, form(_field(1, _field(2, _field(2, b"") * 11))), 10)

    def test_empty_scopes_and_resources_cannot_be_multiplied(self, form):
        with pytest.raises(errors.TooLarge, match="11 scopes"):
            count_records(Signal.TRACES, form(_field(1, _field(2, b"") * 11)), 10)
        with pytest.raises(errors.TooLarge, match="11 resources"):
            count_records(Signal.TRACES, form(_field(1, b"") * 11), 10)

    @pytest.mark.parametrize(
        "unknown",
        [b"\x78\xff\x01", b"\x79" + b"x" * 8, b"\x7d" + b"x" * 4, _field(15, b"xyz"), b"\x7b\x12\x00\x0a\x00\x7c"],
        ids=["varint", "fixed64", "fixed32", "bytes", "group"],
    )
    def test_unknown_fields_are_stepped_over_on_every_level(self, form, unknown):
        scope = _field(2, unknown + _field(2, b"") + unknown)
        payload = unknown + _field(1, unknown + scope + unknown) + unknown
        assert count_records(Signal.TRACES, form(payload), 10) == 1

    @pytest.mark.parametrize(
        "garbage",
        [b"\xff", b"\x0a", b"\x0a\x05ab", b"\x0a\x01\xff", b"\x00\x00", b"\x0f", b"\x7b", b"\x7c", b"\x79abc", b"\x7e\x00"],
    )
    def test_what_is_no_protobuf_is_malformed(self, form, garbage):
        # The unknown field that makes the body long goes first, or it would be what is cut off.
        with pytest.raises(errors.MalformedExport, match="not an OTLP request"):
            count_records(Signal.TRACES, form(b"") + garbage, 10)


def test_a_long_request_of_little_more_than_unknown_fields_is_too_large():
    with pytest.raises(errors.TooLarge, match="more than 70 fields around its records"):
        count_records(Signal.TRACES, _large(b"\x10\x00" * 100), 10)


def test_a_record_alone_in_its_scope_in_its_resource_with_every_field_is_within_the_limit():
    scope = _field(1, b"") + _field(2, b"") + _field(3, b"")
    payload = _field(1, _field(1, b"") + _field(2, scope) + _field(3, b""))
    assert limits._walk(payload * 10, 10, points=False).records == 10


_NUMBERS = st.integers(1, 4)
_SCALARS = st.sampled_from([(0, b"\x05"), (0, b"\xff\x01"), (1, b"x" * 8), (5, b"x" * 4)])
_FIELDS = st.recursive(
    st.builds(lambda number, scalar: _varint(number << 3 | scalar[0]) + scalar[1], _NUMBERS, _SCALARS),
    lambda inner: st.builds(_field, _NUMBERS, st.lists(inner, max_size=4).map(b"".join)),
    max_leaves=20,
)


@given(st.lists(_FIELDS, max_size=5).map(b"".join), st.integers(0, 5))
def test_parsing_and_walking_agree_on_any_message_whole_or_cut(message: bytes, cut: int):
    payload = _field(1, _field(2, message))
    payload = payload[: len(payload) - cut]

    def outcome(count: Callable[[], object]) -> object:
        try:
            return count()
        except errors.MalformedExport:
            return "malformed"

    for points in (False, True):
        parsed = outcome(partial(limits._parse, payload, points=points, sized=True))
        assert parsed == outcome(partial(limits._walk, payload, 1000, points=points))


@pytest.mark.parametrize(
    "level", ["b'\\x0a' + v(len(s)) + s", "b'\\x0a' + v(len(b) + len(s)) + b + s", "s.replace(b'\\x12', b'\\x0a')"]
)
def test_ten_mebibytes_of_empty_messages_cost_no_memory(level):
    program = f"""
import resource
from agent import errors
from agent.batch import Signal
from agent.decode.limits import count_records, trimmed
def v(n): return bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21])
s = b"\\x12\\x00" * 5_000_000
b = b"\\x12" + v(len(s))
payload = {level}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try: count_records(Signal.TRACES, payload, 65536)
except errors.TooLarge: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": ".:proto"}
    )
    assert int(ran.stdout) < 8 << 10


def test_a_record_that_is_too_large_goes_alone():
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="kept")
    group.resource.attributes.add(key="service.name").value.string_value = "checkout"
    scope = group.scope_spans.add(schema_url="kept too")
    scope.scope.name = "library"
    for name in ("first", "x" * 2000, "last"):
        scope.spans.add(name=name)
    kept, records, large = trimmed(Signal.TRACES, request.SerializeToString(), 10, 1000)
    del scope.spans[1]
    assert (ExportTraceServiceRequest.FromString(kept), records, large) == (request, 2, 1)


def test_a_data_point_that_is_too_large_goes_alone():
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load", unit="1")
    for size in (1, 2000):
        metric.gauge.data_points.add(time_unix_nano=1).attributes.add(key="x" * size)
    kept, records, large = trimmed(Signal.METRICS, request.SerializeToString(), 10, 1000)
    del metric.gauge.data_points[1]
    assert (ExportMetricsServiceRequest.FromString(kept), records, large) == (request, 1, 1)


def test_a_request_without_a_record_that_is_too_large_is_handed_on_as_it_is():
    payload = _records(3)
    assert trimmed(Signal.LOGS, payload, 10, 1000) == (payload, 3, 0)
