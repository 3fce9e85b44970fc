"""Entries of maps written by columns are those that protobuf makes of a map."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.query.entries import Entries
from agent.query.flat import flat_attributes
from tests.telemetry import EVERY_VALUE, attributes

MESSAGES = pytest.mark.parametrize("message", [api.Span, api.LogRecord, api.DataPoint])
ENTRIES = {message: Entries(message.ATTRIBUTES_FIELD_NUMBER) for message in (api.Span, api.LogRecord, api.DataPoint)}


def wire(key: str, value: object) -> bytes:
    return attributes({key: value})[0].SerializeToString()


TEXTS = st.text(max_size=6) | st.integers(100, 140).map(lambda n: "x" * n)
WELL = st.builds(
    wire, TEXTS, TEXTS | st.sampled_from([value for value in EVERY_VALUE.values() if not isinstance(value, float)])
)


@st.composite
def almost(draw: st.DrawFn) -> bytes:
    """Wire bytes of a short attribute with a byte changed, lost or added: to be read by protobuf's own rules, or not at all."""
    found = bytearray(draw(WELL))
    at = draw(st.integers(0, len(found) - 1))
    kind = draw(st.sampled_from(["changed", "lost", "added"]))
    if kind == "changed":
        found[at] = draw(st.integers(0, 255))
    elif kind == "lost":
        del found[at]
    else:
        found.insert(at, draw(st.integers(0, 255)))
    return bytes(found)


@MESSAGES
@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.lists(WELL | almost() | st.binary(max_size=10), max_size=6), max_size=4))
@example(rows=[[b""]])
@example(rows=[[wire("k", "first"), wire("k", "second"), wire("", "")]])
@example(rows=[[wire("k" * n, "v" * m) for n in (0, 1, 100, 121, 127, 128, 300) for m in (0, 1, 120, 127, 128, 300)]])
@example(rows=[[wire(f"k{n}", n) for n in (0, 1, 127, 128, 2**32, 2**62, 2**63 - 1, -1, -(2**63))]])
@example(
    rows=[
        [wire("k" * n, 1) for n in (0, 1, 88, 89, 90, 91, 92, 93, 100, 105, 106, 107, 110, 116, 117, 118, 119, 120, 121, 122)]
    ]
)
@example(rows=[[b"\x0a\x01k\x12\x03\x18\x80\x00", b"\x0a\x01l\x12\x03\x18\x01\x01", b"\x0a\x01m\x12\x02\x18\x80"]])
@example(rows=[[b"\x0a\x01\xff\x12\x03\x0a\x01v", b"\x0a\x01k\x12\x03\x0a\x01\xff"]])
def test_entries_are_those_of_a_map_that_was_set(message, rows):
    set_one_by_one = [message(attributes=flat_attributes(wires)) for wires in rows]
    assert list(map(message.FromString, ENTRIES[message].of_all(rows).to_pylist())) == set_one_by_one
