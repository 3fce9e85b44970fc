"""Requests side by side as columns: every record once, with its request and its origin; ids as words."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_columns import otlp_columns_pb2

from agent import schema
from agent.decode.columns import (
    Undecodable,
    all_of_length,
    flatten,
    halves,
    optional_words,
    origin_columns,
    origin_of,
    origins_batch,
    valid_words,
    words,
)
from tests.telemetry import full_span, request, span

IDS = st.lists(st.binary(min_size=8, max_size=8), max_size=9)


def sliced(ids: Sequence[bytes | None], before: int) -> pa.Array:
    """The ids as an array with an offset, as filters and slices leave them."""
    return pa.array([b"\xaa" * 8] * before + list(ids), pa.binary()).slice(before)


@given(IDS, st.integers(0, 3))
def test_words_are_the_ids_little_endian(ids, before):
    assert words(sliced(ids, before)).to_pylist() == [int.from_bytes(i, "little") for i in ids]


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=9), st.integers(0, 3))
def test_halves_put_together_are_the_ids(ids, before):
    high, low = halves(sliced(ids, 2 * before))
    assert [
        h.to_bytes(8, "little") + n.to_bytes(8, "little") for h, n in zip(high.to_pylist(), low.to_pylist(), strict=True)
    ] == ids


@given(st.lists(st.sampled_from([b"", b"\0" * 8, b"\1" * 8, b"\xff" * 8]), max_size=9), st.integers(0, 3))
def test_optional_words_are_null_exactly_where_there_is_no_id(ids, before):
    expected = [int.from_bytes(i, "little") if i else None for i in ids]
    assert optional_words(sliced(ids, before)).to_pylist() == expected


GIVEN = [b"", b"\0" * 8, b"\1" * 8, b"\0" * 16, b"\1" * 8 + b"\0" * 8, bytes(range(16)), b"short", b"\2" * 24, None]


@given(st.lists(st.sampled_from(GIVEN), max_size=9), st.integers(0, 3), st.sampled_from([1, 2]))
def test_valid_words_are_null_where_an_id_is_none(ids, before, count):
    def expected(place: int) -> list[int | None]:
        words = [None if i is None or len(i) != 8 * count or not any(i) else i[8 * place : 8 * place + 8] for i in ids]
        return [None if word is None else int.from_bytes(word, "little") for word in words]

    assert [column.to_pylist() for column in valid_words(sliced(ids, before), count)] == [expected(n) for n in range(count)]


@given(st.lists(st.binary(max_size=20), max_size=9), st.integers(0, 3), st.sampled_from([8, 16]))
def test_all_of_length_is_what_it_says(ids, before, length):
    assert all_of_length(sliced(ids, before), length) == all(len(i) == length for i in ids)


def test_lengths_that_add_up_are_not_enough():
    assert not all_of_length(pa.array([b"x" * 7, b"x" * 9]), 8)


def traces(*sent: ExportTraceServiceRequest) -> list[bytes]:
    return [one.SerializeToString() for one in sent]


def test_every_record_stands_beside_its_request_and_its_origin():
    first = request(span(1), span(2), service="a")
    first.resource_spans.add()  # a resource part without scopes
    first.resource_spans.add().scope_spans.add()  # and one without spans
    first.MergeFrom(request(span(3), service="b"))
    flat = flatten(traces(first, ExportTraceServiceRequest(), request(span(4), service="a")), otlp_columns_pb2.Traces)
    assert flat.columns.field("name").to_pylist() == [f"operation {n}" for n in (1, 2, 3, 4)]
    assert flat.request.tolist() == [0, 0, 0, 2]
    assert origin_columns(flat)["service_name"].to_pylist() == ["a", "a", "b", "a"]
    hashes = origin_columns(flat)["origin"].to_pylist()
    assert hashes[0] == hashes[1] == hashes[3] != hashes[2]


def test_no_payloads_and_empty_ones_are_no_records():
    for payloads in ([], [b""], [b"", b""]):
        flat = flatten(payloads, otlp_columns_pb2.Traces)
        assert (len(flat.columns), len(flat.request), len(flat.scope)) == (0, 0, 0)


@pytest.mark.parametrize("payload", [b"\xff", b"\x0a\x7f", traces(request(span(1)))[0][:-1], b"\x0a\x02\x1a\x01\xff"])
def test_what_is_not_otlp_is_undecodable_alone_and_among_others(payload):
    good = traces(request(span(1)))
    for payloads in ([payload], [*good, payload], [payload, *good]):
        with pytest.raises(Undecodable):
            flatten(payloads, otlp_columns_pb2.Traces)


def test_attributes_events_and_links_stay_the_sender_s_bytes():
    sent = full_span(0)
    flat = flatten(traces(request(sent)), otlp_columns_pb2.Traces)
    for field in ("attributes", "events", "links"):
        assert flat.columns.field(field).to_pylist() == [[one.SerializeToString() for one in getattr(sent, field)]]


PARTS = st.tuples(
    st.none() | st.just(b""), st.sampled_from(["", "u", "v"]), st.none() | st.binary(max_size=3), st.text(max_size=3)
)


@given(PARTS, PARTS)
def test_an_origin_s_hash_stands_for_its_parts_and_for_nothing_else(one, other):
    first, second = origin_of(*one), origin_of(*other)
    assert first is not None
    assert second is not None
    assert (first.hash == second.hash) == (one == other)


def test_parts_cannot_borrow_from_each_other():
    hashes = {
        o.hash for o in (origin_of(None, a, b, c) for a, b, c in (("ab", b"", ""), ("a", b"b", ""), ("", b"ab", ""))) if o
    }
    hashes |= {o.hash for o in (origin_of(None, "", None, ""), origin_of(b"", "", None, ""), origin_of(None, "", b"", "")) if o}
    assert len(hashes) == 6


def test_a_resource_that_is_none_has_no_origin():
    assert origin_of(b"\xff", "", None, "") is None


@pytest.mark.parametrize("name", ["", " ", "\u00a0"])
def test_a_service_without_a_name_is_the_unknown_one(name):
    group = request(service=name).resource_spans[0]
    origin = origin_of(group.resource.SerializeToString(), "", None, "")
    assert origin is not None
    assert origin.service_name == "unknown_service"


def test_origins_become_rows_of_their_table():
    origin = origin_of(b"", "https://resource", b"scope", "https://scope")
    assert origin is not None
    rows = origins_batch([origin])
    assert rows.schema == schema.ORIGINS
    assert rows.to_pylist()[0] | {"hash": 0} == {
        "hash": 0,
        "service_name": "unknown_service",
        "resource": b"",
        "resource_schema_url": "https://resource",
        "scope": b"scope",
        "scope_schema_url": "https://scope",
    }
