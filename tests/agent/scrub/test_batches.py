"""Batches before storage: the same as rows on their way out, in every place, and untouched where nothing is to be done."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from agent import schema
from agent.batch import Batch, Export, Receipt, Signal
from agent.decode.group import Decoder
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.query.logs import LOGS, body_text
from agent.query.points import POINTS
from agent.query.rows import Row, Rows, Shape, origins_of
from agent.query.spans import SPANS
from agent.scrub.batches import _COLUMNS, scrubbed, scrubbing
from agent.scrub.rules import Mode, OwnRule, ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.canary import REQUESTS, seen
from tests.telemetry import every_metric, full_log, full_span, log_request, metric_request, request

SHAPES: dict[Signal, Shape] = {Signal.TRACES: SPANS, Signal.LOGS: LOGS, Signal.METRICS: POINTS}
DECODERS: dict[Signal, Decoder] = {
    decoder.signal: decoder for decoder in (make(lambda _: True) for make in (span_decoder, log_decoder, point_decoder))
}
FULL: dict[Signal, Any] = {
    Signal.TRACES: lambda: request(full_span(1), full_span(2)),
    Signal.LOGS: lambda: log_request(full_log(1), full_log(2)),
    Signal.METRICS: lambda: metric_request(*every_metric()),
}
PROFILES = {
    "default": ScrubSettings(),
    "strict": ScrubSettings("strict", frozenset({"a"})),
    "own": ScrubSettings(rules=(OwnRule("own", Mode.HMAC, "[0-9]{3,}"), OwnRule("map", Mode.DROP, None, ("a", "b", "list")))),
}


def scrubber(settings: ScrubSettings = PROFILES["default"]) -> Scrubber:
    return Scrubber(settings, b"k" * 16)


def batch_of(message: Any, signal: Signal) -> Batch:
    batch = DECODERS[signal].decode([Export(signal, message.SerializeToString(), 9)], 1).batch
    assert batch is not None
    return batch


def rows_of(batch: Batch) -> list[Row]:
    origins = origins_of(batch.origins.to_pylist())
    return [row | {"origin": origins[row["origin"]], "arrival": 1} for row in batch.rows.to_pylist()]


@pytest.mark.parametrize("settings", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("messages", [REQUESTS, FULL], ids=["canaries", "full"])
def test_what_is_stored_is_what_would_leave(signal, settings, messages):
    raw = batch_of(messages[signal](), signal)
    sent = rows_of(raw)
    expected = list(SHAPES[signal].scrubbed(Rows.of(sent, sent[0]), scrubber(settings)))
    stored = scrubbed(raw, scrubber(settings))
    if signal is Signal.LOGS:
        for row in (both := [*expected, *rows_of(stored)]):
            row["body_text"] = body_text(row)
        assert len(both) == 2 * stored.rows.num_rows
        for row in rows_of(stored):
            assert row["body_text"] == body_text(row), "text search must not read what the body does not say"
    shown = [{k: v for k, v in row.items() if k not in ("body_text", "series")} for row in rows_of(stored)]
    assert [{k: v for k, v in row.items() if k not in ("body_text", "series")} for row in expected] == shown
    assert raw.rows.schema == stored.rows.schema
    assert raw.origins.schema == stored.origins.schema
    assert stored.rows.validate(full=True) is None


@pytest.mark.parametrize("signal", Signal)
def test_no_canary_is_in_any_column(signal):
    stored = scrubbed(batch_of(REQUESTS[signal](), signal), scrubber())
    assert seen(str(stored.rows.to_pylist()), signal) == set()
    assert seen(str(stored.origins.to_pylist()), signal) == set()


@pytest.mark.parametrize("signal", Signal)
def test_every_column_of_text_or_bytes_is_scrubbed(signal):
    def can_hold_text(kind: pa.DataType) -> bool:
        return (
            pa.types.is_string(kind) or pa.types.is_binary(kind) or (pa.types.is_list(kind) and can_hold_text(kind.value_type))
        )

    suspects = {
        column.name for table in (schema.TABLES[signal], schema.ORIGINS) for column in table if can_hold_text(column.type)
    }
    assert suspects - set(_COLUMNS) - {"body", "body_text"} == set()


def test_clean_columns_are_not_made_anew_and_off_touches_nothing():
    raw = batch_of(request(full_span(1)), Signal.TRACES)
    once = scrubbed(raw, scrubber())
    assert scrubbed(once, scrubber()).rows is once.rows
    assert scrubbed(once, scrubber()).origins is once.origins
    assert scrubbed(raw, scrubber(ScrubSettings("off"))) is raw


def test_origins_that_scrubbing_makes_alike_are_stored_once_and_their_hash_is_not_of_what_was_sent():
    raw = [batch_of(request(full_span(n), note=f"ada{n}@example.com"), Signal.TRACES) for n in (1, 2)]
    both = Batch(Signal.TRACES, pa.concat_batches([b.rows for b in raw]), pa.concat_batches([b.origins for b in raw]))
    stored = scrubbed(both, scrubber())
    assert both.origins.num_rows == 2
    assert stored.origins.num_rows == 1
    hashes = set(stored.origins["hash"].to_pylist())
    assert hashes == set(stored.rows["origin"].to_pylist())
    assert not hashes & set(both.origins["hash"].to_pylist())


def test_dropped_attributes_leave_their_neighbours_to_their_rows():
    spans = [full_span(n) for n in range(3)]
    for number, span in enumerate(spans):
        del span.attributes[:]
        for key in ("a", "gen_ai.prompt", "b", "http.request.header.cookie")[: number + 1]:
            span.attributes.add(key=key).value.int_value = number
    stored = scrubbed(batch_of(request(*spans), Signal.TRACES), scrubber())
    assert [len(row) for row in stored.rows["attributes"].to_pylist()] == [1, 1, 2]


def test_slices_of_a_batch_are_scrubbed_as_such():
    raw = batch_of(request(*(full_span(n) for n in range(6))), Signal.TRACES)
    cut = Batch(Signal.TRACES, raw.rows.slice(2, 3), raw.origins)
    assert scrubbed(raw, scrubber()).rows.slice(2, 3).to_pylist() == scrubbed(cut, scrubber()).rows.to_pylist()


def test_a_decoder_is_wrapped_and_hits_are_told_after_each_group():
    told: list[dict[tuple[str, str], int]] = []
    room = scrubber()
    decode = scrubbing(DECODERS[Signal.TRACES].decode, room, lambda: told.append(room.take_tally()))
    export = Export(Signal.TRACES, REQUESTS[Signal.TRACES]().SerializeToString(), 1)
    decoded = decode([export, Export(Signal.TRACES, b"\xff", 1)], 1)
    assert decoded.batch is not None
    assert isinstance(decoded.receipts[0], Receipt)
    assert isinstance(decoded.receipts[1], Exception)
    assert told[0]["email", "mask"] > 10
    assert decode([Export(Signal.TRACES, b"\xff", 1)], 1).batch is None
    assert len(told) == 1


def test_an_attribute_that_many_rows_have_counts_in_each():
    spans = [full_span(n) for n in range(5)]
    for span in spans:
        del span.attributes[:]
        span.attributes.add(key="note").value.string_value = "ada@example.com"
    room = scrubber()
    scrubbed(batch_of(request(*spans), Signal.TRACES), room)
    assert room.take_tally()["email", "mask"] == 5
