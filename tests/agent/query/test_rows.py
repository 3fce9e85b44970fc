"""Every column that can hold a sender's text or bytes is scrubbed on its way out, or there is a reason written here."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent import schema
from agent.batch import Signal
from agent.query.logs import LOGS
from agent.query.points import POINTS
from agent.query.rows import Origin, Rows, Shape, of_text, origins_of
from agent.query.spans import SPANS
from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.agent.query.asking import DEFAULT
from tests.agent.scrub.planted import SECRET
from tests.telemetry import attributes

SHAPES: dict[Signal, Shape] = {Signal.TRACES: SPANS, Signal.LOGS: LOGS, Signal.METRICS: POINTS}

NUMBERS = "numbers alone, on the wire too: nothing to scrub"
LEFT: dict[Signal, dict[str, str]] = {
    Signal.TRACES: {},
    Signal.LOGS: {},
    Signal.METRICS: {"bucket_counts": NUMBERS, "explicit_bounds": NUMBERS},
}


def can_hold_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_list(kind)


@pytest.mark.parametrize("signal", schema.TABLES)
def test_every_column_of_text_or_bytes_is_scrubbed_or_has_a_reason(signal):
    suspects = {column.name for column in schema.TABLES[signal] if can_hold_text(column.type)}
    scrubbed, left = set(SHAPES[signal].scrubbing), set(LEFT[signal])
    assert suspects == scrubbed | left
    assert not scrubbed & left


def test_every_signal_has_a_shape():
    assert set(SHAPES) == set(schema.TABLES)


WIRES = [pair.SerializeToString() for pair in attributes({"note": f"mail {SECRET}"})]
_NOTES = attributes({"note": f"mail {SECRET}"})
LISTS = {
    "attributes": WIRES,
    "events": [Span.Event(name=SECRET, attributes=_NOTES).SerializeToString()],
    "links": [Span.Link(trace_state=SECRET, attributes=_NOTES).SerializeToString()],
}


@pytest.mark.parametrize("column", [c for c in schema.SPANS if can_hold_text(c.type)], ids=lambda c: c.name)
def test_a_secret_in_any_column_of_a_span_does_not_leave(column):
    planted = LISTS[column.name] if pa.types.is_list(column.type) else SECRET
    clean = SPANS.scrubbing[column.name](Scrubber(ScrubSettings(), b"k" * 32), planted)
    assert SECRET not in str(clean)


ORIGIN = Origin(SECRET, b"", SECRET, None, SECRET)


def test_an_origin_s_texts_are_scrubbed_and_absence_stays():
    clean = ORIGIN.scrubbed(DEFAULT)
    assert SECRET not in str(clean)
    assert clean.scope is None
    assert clean.resource == b""


def test_every_column_of_an_origin_is_in_its_row():
    row: dict[str, object] = {"hash": 3, "resource": b"r", "scope": None}
    row |= {name: name for name in schema.ORIGINS.names if name not in row}
    assert origins_of([row]) == {3: Origin("service_name", b"r", "resource_schema_url", None, "scope_schema_url")}


def test_rows_are_scrubbed_and_share_one_scrubbed_origin_and_what_is_kept_is_not_changed():
    wires, unscrubbed = list(WIRES), replace(ORIGIN)
    empty = {column.name: None if column.nullable else "" for column in schema.SPANS}
    raw = [empty | {"origin": ORIGIN, "name": SECRET, "attributes": WIRES, "events": [], "links": []} for _ in range(2)]
    first, second = SPANS.scrubbed(Rows.of(raw, raw[0]), DEFAULT)
    assert SECRET not in str(first)
    assert SECRET not in str(second)
    assert first["origin"] is second["origin"]
    assert (wires, unscrubbed) == (WIRES, ORIGIN), "rows are made anew for each query; these are not"


def test_rows_are_their_columns():
    rows = Rows.of([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}], ("a", "b"))
    assert (len(rows), rows["b"], list(rows.names)) == (3, ["x", "y", "z"], ["a", "b"])
    assert list(rows.picked([2, 0])) == [{"a": 3, "b": "z"}, {"a": 1, "b": "x"}]
    assert list(rows.first(1) + rows.picked([1])) == list(rows.first(2))
    assert list(rows.first(9)) == list(rows)
    assert list(rows.having({"a": [7, 8, 9]})["a"]) == [7, 8, 9]
    assert rows["a"] == [1, 2, 3], "what it was made from stays"


def test_no_rows_are_false():
    assert not Rows.of([], ("a", "b"))
    assert not list(Rows.of([], ("a", "b")))


def test_null_stays_null():
    assert of_text(DEFAULT, None) is None
