"""What makes a span valid, and that a valid one fills its columns with exactly what was sent."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent import schema
from agent.batch import Decoded, Export, Receipt, Signal
from agent.decode.spans import span_decoder
from tests.telemetry import START, attributes, full_span, request, span

NOW = START
LATEST = 2**63 - 1


def decode(*spans: Span, service: str = "checkout", own: str = "") -> Decoded:
    payload = request(*spans, service=service).SerializeToString()
    return span_decoder(lambda name: name == own or not own).decode([Export(Signal.TRACES, payload, len(spans))], NOW)


def rows(decoded: Decoded) -> pa.RecordBatch:
    assert decoded.batch is not None
    decoded.batch.rows.validate(full=True)
    return decoded.batch.rows


def test_the_columns_are_those_of_the_table_but_for_the_arrival():
    decoded = decode(span(1))
    expected = pa.schema([column for column in schema.SPANS if column.name != "arrival"])
    assert rows(decoded).schema.names == expected.names
    assert rows(decoded).schema.types == expected.types
    assert all(not rows(decoded).column(c.name).null_count for c in expected if not c.nullable)


def test_every_field_fills_its_column():
    sent = full_span(0)
    (row,) = rows(decode(sent)).to_pylist()
    assert row["trace_id_high"].to_bytes(8, "little") + row["trace_id_low"].to_bytes(8, "little") == sent.trace_id
    assert row["span_id"].to_bytes(8, "little") == sent.span_id
    assert row["parent_span_id"].to_bytes(8, "little") == sent.parent_span_id
    assert (row["start_time_ns"], row["duration_ns"]) == (START, 5_000_000)
    assert (row["status_code"], row["status_message"]) == (2, "it broke")
    for name in ("trace_state", "flags", "name", "kind", *(f"dropped_{x}_count" for x in ("attributes", "events", "links"))):
        assert row[name] == getattr(sent, name)
    for name in ("attributes", "events", "links"):
        assert row[name] == [one.SerializeToString() for one in getattr(sent, name)]


def test_a_span_has_failed_when_its_status_is_error_and_not_otherwise():
    spans = [span(0), *(span(n, status={"code": code}) for n, code in enumerate((0, 1, 2, 3)))]
    assert rows(decode(*spans)).column("failed").to_pylist() == [False, False, False, True, False]


def test_a_status_that_is_absent_is_not_one_that_is_unset():
    absent, unset = rows(decode(span(1), span(2, status={}))).to_pylist()
    assert (absent["status_code"], absent["status_message"]) == (None, None)
    assert (unset["status_code"], unset["status_message"]) == (0, "")


def test_a_parent_of_zeros_is_not_no_parent():
    none, zeros = rows(decode(span(1), span(2, parent_span_id=b"\0" * 8))).to_pylist()
    assert (none["parent_span_id"], zeros["parent_span_id"]) == (None, 0)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a trace id of 7 bytes": ({"trace_id": b"x" * 7}, "invalid_trace_id"),
    "a trace id of 8 bytes": ({"trace_id": b"x" * 8}, "invalid_trace_id"),
    "a trace id of 24 bytes": ({"trace_id": b"x" * 24}, "invalid_trace_id"),
    "a trace id of 32 bytes": ({"trace_id": b"x" * 32}, "invalid_trace_id"),
    "no trace id": ({"trace_id": b""}, "invalid_trace_id"),
    "a trace id of zeros": ({"trace_id": b"\0" * 16}, "invalid_trace_id"),
    "a span id of 7 bytes": ({"span_id": b"x" * 7}, "invalid_span_id"),
    "a span id of 16 bytes": ({"span_id": b"x" * 16}, "invalid_span_id"),
    "no span id": ({"span_id": b""}, "invalid_span_id"),
    "a span id of zeros": ({"span_id": b"\0" * 8}, "invalid_span_id"),
    "a parent of 7 bytes": ({"parent_span_id": b"x" * 7}, "invalid_parent_span_id"),
    "a parent of 16 bytes": ({"parent_span_id": b"x" * 16}, "invalid_parent_span_id"),
    "a start after 2262": ({"start_time_unix_nano": LATEST + 1}, "invalid_time"),
    "an end after 2262": ({"end_time_unix_nano": 2**64 - 1}, "invalid_time"),
}


@pytest.mark.parametrize(("fields", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_span_costs_itself_alone_and_says_why(fields, reason):
    decoded = decode(span(1), span(2, **fields), span(3, **fields), span(4))
    (receipt,) = decoded.receipts
    assert isinstance(receipt, Receipt)
    assert (receipt.accepted, receipt.refused) == (2, {reason: 2})
    assert receipt.message.startswith("2 of 4 spans refused: 2 with a")
    assert rows(decoded).column("name").to_pylist() == ["operation 1", "operation 4"]


def test_a_span_with_many_faults_counts_once():
    decoded = decode(span(1, trace_id=b"", span_id=b"", parent_span_id=b"x", end_time_unix_nano=2**64 - 1))
    assert decoded.batch is None
    assert decoded.receipts == [Receipt(0, {"invalid_trace_id": 1}, decoded.receipts[0].message)]  # type: ignore[union-attr] # never None here


@pytest.mark.parametrize(("own", "kept"), [("checkout", 2), ("other", 0), ("", 2)])
def test_spans_of_other_services_are_refused_after_bad_ones(own, kept):
    (receipt,) = decode(span(1), span(2), span(3, span_id=b""), own=own).receipts
    assert isinstance(receipt, Receipt)
    expected = {"invalid_span_id": 1} | ({} if kept else {"foreign_service": 2})
    assert (receipt.accepted, receipt.refused) == (kept, expected)


def test_all_rejected_is_still_an_answer():
    decoded = decode(span(1), own="other")
    assert decoded.batch is None
    assert isinstance(decoded.receipts[0], Receipt)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (LATEST, LATEST), (LATEST, 0), (0, LATEST), (START, START - 1)])
def test_every_time_until_2262_is_kept_exactly(start, end):
    (row,) = rows(decode(span(1, start_time_unix_nano=start, end_time_unix_nano=end))).to_pylist()
    assert (row["start_time_ns"], row["duration_ns"]) == (start, end - start)


FIELDS = st.fixed_dictionaries(
    {
        "trace_id": st.binary(min_size=16, max_size=16).filter(any),
        "span_id": st.binary(min_size=8, max_size=8).filter(any),
        "parent_span_id": st.just(b"") | st.binary(min_size=8, max_size=8),
        "name": st.text(max_size=9),
        "trace_state": st.text(max_size=9),
        "kind": st.integers(-(2**31), 2**31 - 1),
        "flags": st.integers(0, 2**32 - 1),
        "start_time_unix_nano": st.integers(0, LATEST),
        "end_time_unix_nano": st.integers(0, LATEST),
        "attributes": st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=5), max_size=3).map(
            attributes
        ),
        "dropped_links_count": st.integers(0, 2**32 - 1),
    }
)


@settings(deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=6))
def test_any_valid_spans_are_all_kept_in_order(fields):
    sent = [Span(**one) for one in fields]
    found = rows(decode(*sent)).to_pylist()
    assert [row["name"] for row in found] == [one.name for one in sent]
    for row, one in zip(found, sent, strict=True):
        assert row["trace_id_high"].to_bytes(8, "little") + row["trace_id_low"].to_bytes(8, "little") == one.trace_id
        assert ("" if row["parent_span_id"] is None else row["parent_span_id"].to_bytes(8, "little")) == (
            one.parent_span_id or ""
        )
        assert row["attributes"] == [attribute.SerializeToString() for attribute in one.attributes]
        assert (row["kind"], row["flags"], row["start_time_ns"]) == (one.kind, one.flags, one.start_time_unix_nano)
