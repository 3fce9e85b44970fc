"""A response fits: it is cut before it is too large, goes on exactly where it was cut, and one huge row is shortened."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from agent import schema
from agent.decode.refusals import LONGEST_NAME
from agent.query import encode
from agent.query.rows import Rows
from agent.query.search import Found
from agent.query.spans import SPANS as SHAPE
from tests.agent.query.asking import SINCE, answer, keep, plan
from tests.agent.store.keeping import opened
from tests.telemetry import START, attributes, request, span

SMALLEST = 64 * 1024
ENCODINGS = pytest.mark.parametrize("encoding", [api.ENCODING_FLAT, api.ENCODING_OTLP])


def ids(page: api.QuerySpansResponse) -> list[str]:
    """Span ids of either form."""
    traces = TracesData.FromString(page.otlp)
    otlp = [s.span_id.hex() for r in traces.resource_spans for scope in r.scope_spans for s in scope.spans]
    return otlp or [s.span_id for s in page.spans]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 70_000), min_size=1, max_size=15),
    max_bytes=st.integers(SMALLEST, 4 * SMALLEST),
    encoding=st.sampled_from([api.ENCODING_FLAT, api.ENCODING_OTLP]),
)
def test_every_page_fits_and_together_they_show_each_row_once_in_order(tmp_path_factory, sizes, max_bytes, encoding):
    spans = [span(n, attributes=attributes({"k": "x" * size})) for n, size in enumerate(sizes)]
    with opened(tmp_path_factory.mktemp("encode")) as (store, _):
        keep(store, *spans)
        seen, token = [], ""
        for _ in range(len(sizes)):
            page = answer(store, max_bytes=max_bytes, page_token=token, encoding=encoding, **SINCE)
            assert page.ByteSize() <= max_bytes
            assert page.total_count == len(sizes)
            seen += ids(page)
            token = page.next_page_token
            assert bool(token) == page.has_more
            if not page.has_more:
                break
        assert seen == [s.span_id.hex() for s in reversed(spans)]


def page_of_one(tmp_path, sent: Span, encoding: api.Encoding, **resource: str) -> api.QuerySpansResponse:
    with opened(tmp_path) as (store, _):
        keep(store, sent=request(sent, **resource))
        return answer(store, max_bytes=SMALLEST, encoding=encoding, **SINCE)


HUGE: dict[str, Span] = {
    "an attribute": span(1, attributes=attributes({"small": 1, "k": "x" * 300_000})),
    "many attributes": span(1, attributes=attributes({f"k{n}": "x" * 60 for n in range(4000)})),
    "events": span(1, events=[Span.Event(name="e" * 1000, time_unix_nano=START) for _ in range(300)]),
    "links": span(1, links=[Span.Link(trace_id=b"\7" * 16, span_id=b"\7" * 8) for _ in range(4000)]),
    "a state": span(1, trace_state="s" * 300_000),
    "a state of wide characters": span(1, trace_state="🎉" * 100_000),
    "a message": span(1, status={"message": "m" * 300_000}),
    "everything": span(
        1,
        name="n" * LONGEST_NAME,
        trace_state="s" * 100_000,
        attributes=attributes({f"k{n}": "x" * 900 for n in range(100)}),
        events=[Span.Event(name="e" * 1000) for _ in range(100)],
        links=[Span.Link(trace_state="l" * 1000) for _ in range(100)],
    ),
}


@ENCODINGS
@pytest.mark.parametrize("sent", HUGE.values(), ids=HUGE.keys())
def test_a_row_larger_than_a_reply_is_shortened_with_a_warning(tmp_path, sent, encoding):
    page = page_of_one(tmp_path, sent, encoding)
    assert page.ByteSize() <= SMALLEST
    assert ids(page) == [sent.span_id.hex()]
    assert len(page.warnings) == 1
    assert not page.has_more


@ENCODINGS
def test_a_row_of_a_huge_resource_is_shortened_too(tmp_path, encoding):
    page = page_of_one(tmp_path, span(1), encoding, key="r" * 250_000)
    assert page.ByteSize() <= SMALLEST
    assert ids(page) == [span(1).span_id.hex()]


def test_what_is_cut_off_is_counted_as_dropped(tmp_path):
    sent = span(1, attributes=attributes({f"k{n}": "x" * 90 for n in range(1000)}), dropped_attributes_count=5)
    (shown,) = page_of_one(tmp_path, sent, api.ENCODING_FLAT).spans
    assert shown.dropped_attributes_count == 5 + 1000 - len(shown.attributes)
    assert 0 < len(shown.attributes) < 1000


def expanding(size: int) -> KeyValue:
    """An attribute of about ``size`` bytes on the wire that is eleven times as long in flat text."""
    empty = [KeyValue()] * (size // 2)
    return KeyValue(key="k", value=AnyValue(kvlist_value=KeyValueList(values=empty)))


@pytest.mark.parametrize("where", ["attribute", "event", "resource"])
def test_a_row_whose_flat_text_is_much_longer_than_its_wire_bytes_fits_too(tmp_path, where):
    wide = expanding(7000)
    sent = span(1, attributes=[wide] if where == "attribute" else [])
    if where == "event":
        sent.events.add(attributes=[wide])
    message = request(sent)
    if where == "resource":
        message.resource_spans[0].resource.attributes.append(wide)
    with opened(tmp_path) as (store, _):
        keep(store, sent=message)
        assert answer(store, max_bytes=SMALLEST, **SINCE).ByteSize() <= SMALLEST


def test_totals_beyond_an_int32_are_no_longer_exact():
    wanted = plan()
    found = Found(Rows.of([], schema.SPANS.names), total=2**31, has_more=False)
    reply = encode.reply(api.QuerySpansResponse(), wanted, found, encode.cut(wanted, SHAPE, found, SMALLEST))
    response = api.QuerySpansResponse.FromString(reply)
    assert (response.total_count, response.total_is_exact) == (2**31 - 1, False)


def test_an_empty_page_has_no_token_and_no_bytes(tmp_path):
    with opened(tmp_path) as (store, _):
        for encoding in (api.ENCODING_FLAT, api.ENCODING_OTLP):
            page = answer(store, encoding=encoding)
            assert (page.next_page_token, page.otlp, page.has_more, page.total_count) == ("", b"", False, 0)
            assert page.total_is_exact
