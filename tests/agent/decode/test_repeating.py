"""What a request says once for many records is not multiplied without bound, and names are no longer than DuckDB can read."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.batch import Decoded, Export, Receipt, Signal
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.errors import TooLarge
from tests.telemetry import START, attributes, gauge, metric_request, request, span

KIB = 1 << 10
SPANS, POINTS = span_decoder(lambda _: True), point_decoder(lambda _: True)


def points(*payloads: bytes) -> Decoded:
    return POINTS.decode([Export(Signal.METRICS, payload, 1) for payload in payloads], START)


def spans(*payloads: bytes) -> Decoded:
    return SPANS.decode([Export(Signal.TRACES, payload, 1) for payload in payloads], START)


def metric(count: int, **texts: str | list[KeyValue]) -> bytes:
    """A request with one gauge of so many points."""
    made = gauge("m", *range(1, count + 1))
    for name, text in texts.items():
        if isinstance(text, str):
            setattr(made, name, text)
        else:
            made.metadata.extend(text)
    return metric_request(made).SerializeToString()


def scoped(resource_bytes: int, scopes: int, **fields: str) -> bytes:
    """A request with a Resource of so many bytes over so many scopes, of which the first has a span."""
    sent = ExportTraceServiceRequest()
    part = sent.resource_spans.add(**fields)
    part.resource.attributes.extend(attributes({"service.name": "checkout", "t": "x" * resource_bytes}))
    for _ in range(scopes):
        part.scope_spans.add()
    part.scope_spans[0].spans.append(span(1))
    return sent.SerializeToString()


LONG_VALUE = [KeyValue(key="k", value=AnyValue(string_value="x" * 200 * KIB))]


@pytest.mark.parametrize(
    "texts",
    [{"name": "x" * 200 * KIB}, {"description": "x" * 200 * KIB}, {"unit": "x" * 200 * KIB}, {"metadata": LONG_VALUE}],
    ids=["name", "description", "unit", "metadata"],
)
@pytest.mark.parametrize("count", [1000, 60_000])
def test_a_metric_of_long_texts_over_many_points_is_too_large_alone(texts, count):
    usual = metric(3)
    decoded = points(usual, metric(count, **texts), usual)
    assert [type(receipt) for receipt in decoded.receipts] == [Receipt, TooLarge, Receipt]
    assert decoded.batch is not None
    assert len(decoded.batch.rows) == 6


@pytest.mark.parametrize(("size", "fields"), [(200 * KIB, {}), (10, {"schema_url": "x" * 200 * KIB})])
def test_a_wide_resource_over_many_scopes_is_too_large_alone(size, fields):
    usual = request(span(2)).SerializeToString()
    decoded = spans(usual, scoped(size, 4000, **fields), usual)
    assert [type(receipt) for receipt in decoded.receipts] == [Receipt, TooLarge, Receipt]


def test_what_slices_repeat_together_is_bounded_too():
    (receipt,) = points(metric(60_000, description="x" * 1500)).receipts
    assert isinstance(receipt, TooLarge)


def test_texts_of_usual_length_may_stand_over_many_points_and_scopes():
    assert [r.accepted for r in points(metric(5000, description="x" * 500)).receipts if isinstance(r, Receipt)] == [5000]
    assert [r.accepted for r in spans(scoped(2 * KIB, 50)).receipts if isinstance(r, Receipt)] == [1]


def test_a_name_is_kept_up_to_16_kib_and_a_longer_one_costs_its_span_alone():
    sent = request(span(1, name="x" * 16 * KIB), span(2, name="x" * (16 * KIB + 1)), span(3))
    decoded = spans(sent.SerializeToString())
    (receipt,) = decoded.receipts
    assert isinstance(receipt, Receipt)
    assert (receipt.accepted, dict(receipt.refused)) == (2, {"name_too_long": 1})
    assert "16 KiB" in receipt.message


def test_a_metric_s_name_and_unit_count_together():
    decoded = points(metric(2, name="x" * 16 * KIB, unit="x"), metric(2, name="x" * 8 * KIB, unit="x" * 8 * KIB))
    assert [dict(r.refused) for r in decoded.receipts if isinstance(r, Receipt)] == [{"name_too_long": 2}, {}]


def test_a_service_is_named_in_4_kib():
    fit, long = (request(span(1), service="x" * size).SerializeToString() for size in (4 * KIB, 4 * KIB + 1))
    assert [dict(r.refused) for r in spans(fit, long).receipts if isinstance(r, Receipt)] == [{}, {"invalid_resource": 1}]
