"""The load shapes are what they say: valid OTLP, no two requests alike."""

from __future__ import annotations

import functools
import itertools

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent.batch import Export, Receipt, Signal
from bench.decoding import decode
from bench.shapes import SHAPES, Requests

NOW = 1_790_000_000_000_000_000


@functools.cache
def requests(shape: str, seed: int = 1) -> list[tuple[bytes, bytes]]:
    return list(Requests("traces", shape, seed).at(itertools.repeat(NOW, 18)))


@pytest.fixture(scope="module", params=SHAPES)
def made(request) -> list[tuple[bytes, bytes]]:
    return requests(request.param)


def test_a_request_is_canonical_otlp_with_512_spans_of_12_attributes(made):
    for payload, trace_id in made:
        message = ExportTraceServiceRequest.FromString(payload)
        assert payload == message.SerializeToString()
        (resource,) = message.resource_spans
        (scope,) = resource.scope_spans
        assert len(resource.resource.attributes) == 8
        assert len(scope.spans) == 512
        assert {len(span.attributes) for span in scope.spans} == {12}
        assert sum(len(span.events) for span in scope.spans) == 103
        assert trace_id in {span.trace_id for span in scope.spans}


def test_every_span_is_accepted(made):
    decoded = decode([Export(Signal.TRACES, payload, 512) for payload, _ in made])
    assert [Receipt(512)] * len(made) == decoded.receipts


def test_no_two_requests_share_an_id_and_times_are_near_the_asked(made):
    seen: set[bytes] = set()
    for payload, _ in made:
        spans = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans
        ids = {span.span_id for span in spans}
        assert len(ids) == 512
        assert not ids & seen
        seen |= ids
        assert all(abs(span.start_time_unix_nano - NOW) < 2_000_000_000 for span in spans)
        assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in spans)


def test_of_one_sender_the_text_differs_from_request_to_request():
    first, again = (requests("usual")[turn][0] for turn in (0, 16))
    paths = [
        {a.value.string_value for span in spans for a in span.attributes if a.key == "app.request.id"}
        for spans in (ExportTraceServiceRequest.FromString(p).resource_spans[0].scope_spans[0].spans for p in (first, again))
    ]
    assert len(paths[0]) == len(paths[1]) == 192
    assert not paths[0] & paths[1]


def test_usual_spans_have_parents_within_their_trace():
    spans = ExportTraceServiceRequest.FromString(requests("usual")[0][0]).resource_spans[0].scope_spans[0].spans
    trace_of = {span.span_id: span.trace_id for span in spans}
    children = [span for span in spans if span.parent_span_id]
    assert len(spans) - 64 == len(children)
    assert all(trace_of[span.parent_span_id] == span.trace_id for span in children)


def test_two_seeds_make_two_loads():
    assert requests("usual")[0] != requests("usual", seed=2)[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("signal", [Signal.LOGS, Signal.METRICS])
def test_every_log_record_and_data_point_is_accepted_and_no_two_requests_are_alike(shape, signal):
    made = [payload for payload, _ in Requests(signal.value, shape, 1).at(itertools.repeat(NOW, 4))]
    assert decode([Export(signal, payload, 512) for payload in made]).receipts == [Receipt(512)] * 4
    assert len(set(made)) == 4
