"""The short way through a KeyValue agrees with protobuf or declines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from agent.scrub.wire import NOT_SIMPLE, is_key_head, string_start

VALUES = st.one_of(
    st.text(max_size=140).map(lambda x: AnyValue(string_value=x)),
    st.booleans().map(lambda x: AnyValue(bool_value=x)),
    st.integers(-(2**63), 2**63 - 1).map(lambda x: AnyValue(int_value=x)),
    st.floats().map(lambda x: AnyValue(double_value=x)),
)


@given(st.text(max_size=30), VALUES)
def test_scalars_are_read_as_protobuf_reads_them(key, value):
    wire = KeyValue(key=key, value=value).SerializeToString()
    at = len(wire) - value.ByteSize() - (2 if value.ByteSize() < 128 else 3)
    start = string_start(wire, at)
    if value.ByteSize() > 127:
        assert start == NOT_SIMPLE
    else:
        assert value.string_value == wire[start:].decode()
        assert (key != "") == is_key_head(wire[:at])


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
