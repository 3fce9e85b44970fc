"""The parts that flat messages share, written straight to the wire, are what protobuf would have made of them."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from agent.query.flat import Entries, flat_attributes, flat_scope, resource_attributes, shared_wire
from agent.query.rows import Origin
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
@given(wires=st.lists(WELL | almost() | st.binary(max_size=10), max_size=6))
@example(wires=[b""])
@example(wires=[wire("k", "first"), wire("k", "second"), wire("", "")])
@example(wires=[wire("k" * n, "v" * m) for n in (0, 1, 100, 121, 127, 128, 300) for m in (0, 1, 120, 127, 128, 300)])
@example(wires=[wire(f"k{n}", n) for n in (0, 1, 127, 128, 2**32, 2**62, 2**63 - 1, -1, -(2**63))])
@example(wires=[wire("k" * n, 1) for n in (0, 1, 100, 105, 106, 107, 110, 116, 117, 118, 119, 120, 121, 122)])
@example(wires=[b"\x0a\x01k\x12\x03\x18\x80\x00", b"\x0a\x01l\x12\x03\x18\x01\x01", b"\x0a\x01m\x12\x02\x18\x80"])
@example(wires=[b"\x0a\x01\xff\x12\x03\x0a\x01v", b"\x0a\x01k\x12\x03\x0a\x01\xff"])
def test_entries_are_those_of_a_map_that_was_set(message, wires):
    set_one_by_one = message(attributes=flat_attributes(wires))
    assert message.FromString(ENTRIES[message].of(wires)) == set_one_by_one


ORIGIN = Origin(
    "checkout",
    Resource(attributes=attributes(EVERY_VALUE)).SerializeToString(),
    "of the resource",
    InstrumentationScope(name="library", version="1", attributes=attributes({"k": 1})).SerializeToString(),
    "of the scope",
)


@MESSAGES
@pytest.mark.parametrize("origin", [ORIGIN, Origin("checkout", None, "", None, ""), Origin("c", b"\xff", "", b"\xff", "")])
def test_what_the_rows_of_an_origin_share_is_made_once(message, origin):
    wire = shared_wire(origin, message)
    assert message.FromString(wire) == message(
        resource_attributes=resource_attributes(origin.resource),
        scope=flat_scope(origin),
        resource_schema_url=origin.resource_schema_url,
    )
    assert shared_wire(origin, message) is wire
