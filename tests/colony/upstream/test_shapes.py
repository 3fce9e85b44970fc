"""Tempo's answers, however it writes them, as the colony's own spans and series."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given
from hypothesis import strategies as st

from colony.signals import span_duration_ns, time_ns
from colony.upstream.series import names_by_scope, series, values_of
from colony.upstream.shapes import attributes, found_traces, hex_id, whole, whole_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
START = 1_790_000_000_000_000_001

IDS = [
    (TRACE, 32, TRACE),
    (TRACE.upper(), 32, TRACE),
    (TRACE[1:], 32, TRACE),
    ("1", 32, "1".rjust(32, "0")),
    (base64.b64encode(bytes.fromhex(TRACE)).decode(), 32, TRACE),
    (base64.b64encode(bytes.fromhex(SPAN)).decode(), 16, SPAN),
    ("", 32, ""),
    (None, 32, ""),
    (7, 32, ""),
    ("not an id", 32, ""),
    ("a" * 33, 32, ""),
]


@pytest.mark.parametrize(("said", "digits", "expected"), IDS)
def test_ids_are_padded_and_read_in_hexadecimal_or_base64(said, digits, expected):
    assert expected == hex_id(said, digits)


def test_numbers_of_64_bits_are_texts_and_nothing_is_zero():
    assert [whole(str(START)), whole(5), whole(None), whole(""), whole("x")] == [START, 5, 0, 0, 0]


FOR_MODELS = {
    "trace": {
        "traceId": TRACE[1:],
        "services": [
            {
                "serviceName": "shop",
                "resource": {"service.name": "shop", "host.cpus": 4},
                "scopes": [
                    {
                        "name": "lib",
                        "version": "1",
                        "spans": [
                            {
                                "spanId": SPAN,
                                "name": "GET /",
                                "parentSpanId": "1",
                                "kind": "SPAN_KIND_SERVER",
                                "startTimeUnixNano": str(START),
                                "endTimeUnixNano": str(START + 5_000_001),
                                "attributes": {"a": "b", "n": 3, "f": 0.5, "t": True, "l": [1]},
                                "events": [{"name": "e", "timeUnixNano": str(START), "attributes": {"k": "v"}}],
                                "links": [{"traceId": TRACE, "spanId": SPAN}],
                                "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
                            }
                        ],
                    }
                ],
            }
        ],
    },
    "status": "PARTIAL",
    "message": "too large",
}


def test_a_trace_in_the_form_for_models():
    found = whole_trace(FOR_MODELS)
    assert found is not None
    assert (found.is_partial, found.message) == (True, "too large")
    (span,) = found.spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, SPAN, "1".rjust(16, "0"))
    assert (span.service_name, span.operation_name, span.kind) == ("shop", "GET /", api.SPAN_KIND_SERVER)
    assert (time_ns(span.start_time), span_duration_ns(span), span.duration_us) == (START, 5_000_001, 5000)
    assert (span.is_error, span.status_message) == (True, "no")
    assert dict(span.attributes) == {
        "a": "b",
        "n": '{"intValue":"3"}',
        "f": '{"doubleValue":0.5}',
        "t": '{"boolValue":true}',
        "l": '{"arrayValue":{"values":[{"intValue":"1"}]}}',
    }
    assert [(event.name, dict(event.attributes)) for event in span.events] == [("e", {"k": "v"})]
    assert [(link.trace_id, link.span_id) for link in span.links] == [(TRACE, SPAN)]
    assert (span.scope.name, span.resource_attributes["host.cpus"]) == ("lib", '{"intValue":"4"}')


def otlp(blocks: str, holder: str, wrap: bool) -> dict[str, Any]:
    span = {
        "traceId": base64.b64encode(bytes.fromhex(TRACE)).decode(),
        "spanId": base64.b64encode(bytes.fromhex(SPAN)).decode(),
        "name": "GET /",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1),
        "attributes": [{"key": "n", "value": {"intValue": "3"}}, {"key": "a", "value": {"stringValue": "b"}}],
        "status": {},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    trace = {blocks: [{"resource": resource, holder: [{"spans": [span]}]}]}
    return {"trace": trace} if wrap else trace


@pytest.mark.parametrize(
    ("blocks", "holder", "wrap"),
    [
        ("batches", "scopeSpans", False),
        ("resourceSpans", "scopeSpans", True),
        ("batches", "instrumentationLibrarySpans", False),
    ],
)
def test_a_trace_in_the_forms_of_otlp(blocks, holder, wrap):
    found = whole_trace(otlp(blocks, holder, wrap))
    assert found is not None
    (span,) = found.spans
    assert (span.trace_id, span.span_id, span.service_name, span.kind) == (TRACE, SPAN, "shop", api.SPAN_KIND_CLIENT)
    assert dict(span.attributes) == {"n": '{"intValue":"3"}', "a": "b"}
    assert not span.is_error


@pytest.mark.parametrize(
    "said", [{}, {"trace": {}, "metrics": {}}, {"trace": {"services": []}}, [], None, "text", {"trace": 5}]
)
def test_a_missing_trace_is_none(said):
    assert whole_trace(said) is None


def test_a_search_with_either_spelling_of_span_sets_and_each_span_once():
    span = {"spanID": SPAN, "startTimeUnixNano": str(START), "durationNanos": "5", "attributes": [
        {"key": "name", "value": {"stringValue": "GET /"}}, {"key": "status", "value": {"stringValue": "error"}},
        {"key": "resource.service.name", "value": {"stringValue": "shop"}}, {"key": "x", "value": {"intValue": "1"}}]}  # fmt: skip
    one = {"spans": [span], "matched": 7}
    for sets in ({"spanSet": one}, {"spanSets": [one]}, {"spanSet": one, "spanSets": [one]}):
        (found,) = found_traces({"traces": [{"traceID": TRACE[1:], "rootServiceName": "shop", "durationMs": 12, **sets}]})
        assert (found.trace_id, found.matched, found.duration_ns) == (TRACE, 7, 12_000_000)
        assert [(s.service_name, s.operation_name, s.is_error, dict(s.attributes)) for s in found.spans] == [
            ("shop", "GET /", True, {"x": '{"intValue":"1"}'})
        ]
    assert found_traces({}) == []


def test_series_that_are_absent_and_zeros_that_are_left_out():
    assert series({"metrics": {}}) == []
    label = {"key": "p", "value": {"doubleValue": 0.5}}
    (instant,) = series({"series": [{"labels": [label]}]})
    assert (dict(instant.labels), instant.points) == ({"p": "0.5"}, ((0, 0.0),))
    (ranged,) = series(
        {"series": [{"labels": [], "samples": [{"timestampMs": "1000"}, {"timestampMs": "2000", "value": 2.5}]}]}
    )
    assert ranged.points == ((1_000_000_000, 0.0), (2_000_000_000, 2.5))


def test_names_and_values():
    assert names_by_scope({"scopes": [{"name": "span", "tags": ["a"]}, {"name": "event"}]}) == {"span": ["a"], "event": []}
    assert values_of({"tagValues": {"string": ["/a"], "int": [200]}}) == ["/a", "200"]
    assert values_of({"tagValues": [{"type": "string", "value": "/a"}, "b"]}) == ["/a", "b"]
    assert values_of({}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["trace", "traceId", "services", "scopes", "spans", "spanId", "traces", "traceID", "spanSets", "series",
                         "samples", "labels", "attributes", "key", "value", "status", "kind", "startTimeUnixNano", "tagValues"]),
        inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_no_answer_breaks_the_reader(document):
    whole_trace(document)
    found_traces(document)
    series(document)
    names_by_scope(document)
    values_of(document)
    attributes(document)
