"""Spans as they leave: flat for people, OTLP for tools; what cannot be read says so."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agent.query.flat import flat_attributes
from agent.query.rows import Origin, Row, Rows
from agent.query.spans import SPANS
from agent.values import UNREADABLE
from tests.agent.query.asking import OFF, SINCE, answer, keep
from tests.agent.store.keeping import opened
from tests.telemetry import START, attributes, request, span

NOWHERE = Origin("checkout", None, "", None, "")
BROKEN = b"\xff\xff"
EMPTY: Row = {
    **dict.fromkeys(("trace_id_high", "trace_id_low", "span_id", "flags", "kind", "duration_ns", "arrival"), 0),
    **dict.fromkeys(("dropped_attributes_count", "dropped_events_count", "dropped_links_count"), 0),
    **dict.fromkeys(("parent_span_id", "status_code", "status_message"), None),
    **dict.fromkeys(("service_name", "trace_state", "name"), ""),
    **dict.fromkeys(("attributes", "events", "links"), ()),
    "start_time_ns": START,
    "origin": NOWHERE,
}


def row(**fields: Any) -> Row:
    return EMPTY | fields


def rows(*found: Row) -> Rows:
    return Rows.of(found, EMPTY)


def flat(**fields: Any) -> api.Span:
    return api.Span.FromString(*SPANS.flat(rows(row(**fields))).to_pylist())


def test_ids_are_the_bytes_that_were_sent_in_lower_case_hex():
    shown = flat(trace_id_high=0x0706050403020100, trace_id_low=0xFF0E0D0C0B0A0908, span_id=1, parent_span_id=2**64 - 1)
    assert (shown.trace_id, shown.span_id) == ("000102030405060708090a0b0c0d0eff", "0100000000000000")
    assert shown.parent_span_id == "f" * 16


def test_no_parent_is_no_text():
    assert flat().parent_span_id == ""


def test_a_span_that_ends_before_it_starts_lasts_no_time_and_keeps_its_end():
    shown = flat(duration_ns=-1500)
    assert shown.duration_us == 0
    assert shown.end_time.ToNanoseconds() == START - 1500


@pytest.mark.parametrize("time", [0, 1, 2**63 - 1])
def test_every_time_that_can_be_kept_can_be_shown(time):
    assert flat(start_time_ns=time).start_time.ToNanoseconds() == time


def test_only_the_status_error_is_an_error():
    assert [flat(status_code=code).is_error for code in (None, 0, 1, 2, 3)] == [False, False, False, True, False]


def test_a_kind_that_is_new_to_us_is_shown_as_it_is():
    assert flat(kind=17).kind == 17


def test_of_duplicate_keys_the_first_is_shown():
    wires = [pair.SerializeToString() for pair in (*attributes({"k": 1}), *attributes({"k": 2, "l": 3}))]
    assert flat_attributes(wires) == {"k": '{"intValue":"1"}', "l": '{"intValue":"3"}'}


def test_what_cannot_be_read_says_so_where_it_stood():
    shown = flat(
        attributes=[BROKEN],
        events=[BROKEN],
        links=[BROKEN],
        origin=Origin("checkout", BROKEN, "", BROKEN, ""),
    )
    assert dict(shown.attributes) == {"": UNREADABLE}
    assert shown.events[0].name == UNREADABLE
    assert shown.links[0].trace_state == UNREADABLE
    assert dict(shown.resource_attributes) == {"": UNREADABLE}
    assert shown.scope.name == UNREADABLE


def test_an_event_in_the_far_future_is_shown_at_the_last_moment_there_is():
    event = span(1, events=[{"time_unix_nano": 2**64 - 1}]).events[0]
    assert flat(events=[event.SerializeToString()]).events[0].time.ToNanoseconds() == 2**63 - 1


def test_rows_shown_together_are_what_each_is_alone():
    event = span(1, events=[{"name": "retry"}]).events[0].SerializeToString()
    several = [
        row(),
        row(name="größe", kind=3, status_code=2, status_message="no route", parent_span_id=7, flags=257, arrival=2**62),
        row(attributes=[attributes({"k": "v"})[0].SerializeToString()], events=[event, BROKEN], trace_state="a=b"),
        row(duration_ns=2**62, dropped_attributes_count=2**32 - 1, dropped_events_count=1, dropped_links_count=2),
    ]
    together = SPANS.flat(rows(*several)).to_pylist()
    assert [SPANS.flat(rows(one))[0].as_py() for one in several] == together
    shown = api.Span.FromString(together[3])
    assert (shown.duration_us, shown.dropped_attributes_count, shown.dropped_links_count) == (2**62 // 1000, 2**32 - 1, 2)
    assert SPANS.flat(rows()).to_pylist() == []


def test_otlp_groups_by_resource_and_scope_and_keeps_the_order_within():
    origins = [Origin("a", b"", "u", None, ""), Origin("a", b"", "u", b"", ""), Origin("b", None, "", None, "")]
    nine = rows(*(row(name=str(n), origin=origins[n % 3]) for n in range(9)))
    traces = TracesData.FromString(SPANS.otlp(nine))
    shape = [[[s.name for s in scope.spans] for scope in r.scope_spans] for r in traces.resource_spans]
    assert shape == [[["0", "3", "6"], ["1", "4", "7"]], [["2", "5", "8"]]]
    first, second = traces.resource_spans
    assert (first.HasField("resource"), second.HasField("resource"), first.schema_url) == (True, False, "u")
    assert [scope.HasField("scope") for scope in first.scope_spans] == [False, True]


def test_no_rows_are_no_bytes():
    assert SPANS.otlp(rows()) == b""


def test_one_broken_attribute_does_not_make_a_page_of_otlp_unreadable(tmp_path):
    sent = request(span(1), span(2)).SerializeToString()
    good = attributes({"k": "vvvv"})[0].SerializeToString()
    message = request(span(1, attributes=attributes({"k": "vvvv"})), span(2))
    sent = message.SerializeToString().replace(good, good[:-4] + b"\xff\xfe\xff\xfe")
    message = type(message)()
    with opened(tmp_path) as (store, _):
        keep_bytes(store, sent)
        page = answer(store, scrubber=OFF, encoding=api.ENCODING_OTLP, **SINCE)
        try:
            TracesData.FromString(page.otlp)
        except Exception as error:  # noqa: BLE001 a DecodeError, but any would do
            pytest.fail(f"{type(error).__name__}")


def keep_bytes(store: Any, sent: bytes) -> None:
    class Sent:
        def SerializeToString(self) -> bytes:  # noqa: N802 protobuf's name
            return sent

    keep(store, sent=Sent())  # type: ignore[arg-type]  # bytes that protobuf itself would not write


def test_large_attributes_do_not_stay_in_memory_once_they_were_shown():
    large = [pair.SerializeToString() for pair in attributes({f"k{n}": "x" * 100_000 for n in range(200)})]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        flat_attributes(large)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 2_000_000
