"""The short way through a KeyValue agrees with protobuf or declines."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from agent.scrub.wire import NOT_SIMPLE, SEPARATOR, irregular, is_key_head, string_start
from tests.agent.scrub.planted import wire as wire_of

VALUES = st.one_of(
    st.text(max_size=340).map(lambda x: AnyValue(string_value=x)),
    st.booleans().map(lambda x: AnyValue(bool_value=x)),
    st.integers(-(2**63), 2**63 - 1).map(lambda x: AnyValue(int_value=x)),
    st.floats().map(lambda x: AnyValue(double_value=x)),
)


@given(st.text(max_size=30), VALUES)
def test_scalars_are_read_as_protobuf_reads_them(key, value):
    wire = KeyValue(key=key, value=value).SerializeToString()
    at = len(wire) - value.ByteSize() - (2 if value.ByteSize() < 128 else 3)
    start = string_start(wire, at)
    assert value.string_value == wire[start:].decode()
    assert (key != "") == is_key_head(wire[:at])


def irregular_of(*wires: bytes) -> list[int]:
    return list(irregular(SEPARATOR.join((*wires, b"")), list(accumulate(len(wire) + 1 for wire in wires))))


USUAL = [
    wire_of("a" * n, value)
    for n in (0, 1, 127)
    for value in ("", "x", "x" * 126, "x" * 300, "é" * 99, True, 0, 300, 1.5, 2**62)
]


def test_the_usual_layout_is_seen_in_many_attributes_at_once():
    assert irregular_of(*(wire for wire in USUAL if wire[:1] == b"\x0a")) == []


@given(st.lists(st.one_of(st.sampled_from(USUAL), st.binary(max_size=12)), max_size=6))
def test_what_is_not_irregular_holds_nothing_that_protobuf_does_not_know(wires):
    odd = set(irregular_of(*wires))
    for place, wire in enumerate(wires):
        if place not in odd:
            pair = KeyValue.FromString(wire)
            pair.DiscardUnknownFields()
            assert KeyValue.FromString(pair.SerializeToString()) == KeyValue.FromString(wire)
            assert len(pair.SerializeToString()) <= len(wire) <= len(pair.SerializeToString()) + 8


def test_an_attribute_that_reaches_into_the_next_is_irregular():
    cut = wire_of("a", "x" * 20)[:-4]
    assert 0 in irregular_of(cut, wire_of("b", "y"), wire_of("c", "z"))
    twice = wire_of("a", "b") + wire_of("", "c")
    assert irregular_of(wire_of("a", 1), twice, wire_of("b", 2)) == [1]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x12",
        b"\x12\x00",
        AnyValue(array_value=ArrayValue()).SerializeToString(),
        b"\x12\x04\x0a\x01a\x10",
        b"\x12\x03\x0a\x01ab",
        b"\x12\x03\x18\x01\x01",
        b"\x12\x03\x18\x81\x81",
        b"\x12\x04\x18\x01\x18\x02",
        b"\x12\x08\x21" + b"\x00" * 7,
        b"\x12\x05\x0a\x03abc\x1a\x01x",
    ],
)
def test_anything_else_is_declined(value):
    assert string_start(value, 0) == NOT_SIMPLE
    assert string_start(value, 50) == NOT_SIMPLE


@pytest.mark.parametrize("head", [b"", b"\x0a", b"\x12\x01a", b"\x0a\x02a", b"\x0a\x80" + b"a" * 128])
def test_what_is_no_key_field_is_no_head(head):
    assert not is_key_head(head)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_random_bytes_are_either_whole_or_declined(wire, at):
    start = string_start(wire, at)
    if start != NOT_SIMPLE and wire[start:].isascii():
        value = KeyValue.FromString(wire[at:]).value
        assert wire[start:].decode() == value.string_value
        assert value.WhichOneof("value") in ("string_value", "bool_value", "int_value", "double_value")
