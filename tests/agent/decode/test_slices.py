"""A large request in slices says what it says whole, and one that is too dense costs itself alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import errors
from agent.batch import Decoded, Export, Receipt, Signal
from agent.decode import group, slices
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from tests.conformance.wire import field
from tests.telemetry import START, every_metric, full_log, full_span, log, log_request, metric_request, request, span

DECODERS = {Signal.TRACES: span_decoder, Signal.LOGS: log_decoder, Signal.METRICS: point_decoder}
REQUESTS: dict[Signal, list[Any]] = {
    Signal.TRACES: [request(full_span(0), span(1)), request(*(span(n) for n in range(20))), request()],
    Signal.LOGS: [log_request(full_log(), log(1)), log_request(*(log(n) for n in range(20)))],
    Signal.METRICS: [metric_request(*every_metric()), metric_request(*every_metric() * 3)],
}


def decode(signal: Signal, *payloads: bytes) -> Decoded:
    return DECODERS[signal](lambda _: True).decode([Export(signal, payload, 0) for payload in payloads], START)


def rows(decoded: Decoded) -> Any:
    """Rows in any order, each with its origin; metrics are in the order of their kinds within a slice."""
    if decoded.batch is None:
        return None
    origins = {origin["hash"]: origin for origin in decoded.batch.origins.to_pylist()}
    assert len(origins) == decoded.batch.origins.num_rows
    return sorted(repr({**row, "origin": origins[row["origin"]]}) for row in decoded.batch.rows.to_pylist())


@pytest.mark.parametrize("signal", list(Signal))
@settings(deadline=None, max_examples=40)
@given(data=st.data(), size=st.integers(1, 600))
def test_any_request_decodes_the_same_in_slices_of_any_size(signal, data, size):
    chosen = data.draw(st.lists(st.sampled_from(REQUESTS[signal]), min_size=1, max_size=3))
    payloads = [b"".join(one.SerializeToString() for one in chosen), chosen[0].SerializeToString()]
    whole = decode(signal, *payloads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "SLICE_BYTES", size)
        patch.setattr(slices, "SLICE_BYTES", size)
        sliced = decode(signal, *payloads)
    assert whole.receipts == sliced.receipts
    assert rows(whole) == rows(sliced)


def test_a_slice_is_about_as_large_as_it_may_be(monkeypatch):
    monkeypatch.setattr(slices, "SLICE_BYTES", 2000)
    payload = request(*(span(n) for n in range(200))).SerializeToString()
    found = list(slices.slices(Signal.TRACES, payload))
    assert len(payload) / 2000 <= len(found) < len(payload) / 1000
    assert max(map(len, found)) < 2500


def test_fields_that_nobody_knows_stand_in_a_slice_and_groups_are_not_looked_into(monkeypatch):
    monkeypatch.setattr(slices, "SLICE_BYTES", 1)
    unknown = b"\x7b\x12\x00\x0a\x00\x7c" + field(15, b"x") + b"\x78\x01"
    (one, two) = slices.slices(Signal.TRACES, unknown + field(1, field(2, field(2, b"a") + unknown + field(2, b"b"))))
    assert (one, two) == tuple(unknown + field(1, field(2, unknown + field(2, name))) for name in (b"a", b"b"))


@pytest.mark.parametrize("broken", [b"\xff", field(1, b"\x12\x7f"), field(1, field(2, field(2, b"\xff\xff")))])
def test_a_large_request_that_is_not_otlp_costs_itself_alone(monkeypatch, broken):
    monkeypatch.setattr(group, "SLICE_BYTES", 10)
    monkeypatch.setattr(slices, "SLICE_BYTES", 10)
    good = request(span(1)).SerializeToString()
    decoded = decode(Signal.TRACES, good, good + broken, good)
    assert [type(receipt) for receipt in decoded.receipts] == [Receipt, errors.MalformedExport, Receipt]
    assert len(rows(decoded)) == 2


def test_a_request_of_too_many_entries_is_too_large_and_costs_itself_alone(monkeypatch):
    monkeypatch.setattr(group, "SLICE_BYTES", 10)
    monkeypatch.setattr(group, "MAX_ENTRIES", 50)
    ids = field(1, b"\x01" * 16) + field(2, b"\x02" * 8)
    requests = [field(1, field(2, field(2, ids + field(9, b"") * count))) for count in (50, 51)]
    decoded = decode(Signal.TRACES, *requests)
    assert [type(receipt) for receipt in decoded.receipts] == [Receipt, errors.TooLarge]
    assert decoded.batch is not None
    assert decoded.batch.rows.num_rows == 1


def test_every_kind_of_entry_counts_and_numbers_do_not(monkeypatch):
    monkeypatch.setattr(group, "SLICE_BYTES", 10)
    payload = metric_request(*every_metric()).SerializeToString()
    for limit, kind in ((8, errors.TooLarge), (1000, Receipt)):
        monkeypatch.setattr(group, "MAX_ENTRIES", limit)
        assert [type(receipt) for receipt in decode(Signal.METRICS, payload).receipts] == [kind]
    buckets = metric_request(every_metric()[0])
    point = (
        buckets.resource_metrics[0].scope_metrics[0].metrics.add(name="many").histogram.data_points.add(time_unix_nano=START)
    )
    point.bucket_counts.extend([1] * 2001)
    point.explicit_bounds.extend(range(2000))
    assert isinstance(decode(Signal.METRICS, buckets.SerializeToString()).receipts[0], Receipt)
