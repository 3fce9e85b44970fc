"""Indices into a string table are found wherever they stand among other attributes, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.batch import Decoded, Export, Receipt, Signal
from agent.decode.spans import span_decoder
from tests.conformance.wire import field
from tests.telemetry import START, attributes, request, span

ORDINARY = attributes({"plain": "a@b", "n": 5, "at": "@", "x": 64, "no": ""})
KEY = KeyValue(key_strindex=300, value=AnyValue(string_value="v"))
VALUE = KeyValue(key="k", value=AnyValue(string_value_strindex=4))


def decode(*spans: Any, resource: KeyValue | None = None, scope: KeyValue | None = None) -> Decoded:
    sent = request(*spans)
    group = sent.resource_spans[0]
    if resource is not None:
        group.resource.attributes.append(resource)
    if scope is not None:
        group.scope_spans[0].scope.attributes.append(scope)
    return span_decoder(lambda _: True).decode([Export(Signal.TRACES, sent.SerializeToString(), 0)], START)


def warning(decoded: Decoded) -> str:
    (receipt,) = decoded.receipts
    assert isinstance(receipt, Receipt)
    assert receipt.rejected == 0
    return receipt.message


@pytest.mark.parametrize("count", [1, 3, 500])
@pytest.mark.parametrize("where", [0, -1])
def test_a_key_that_is_an_index_is_warned_of_and_kept(count, where):
    spans = [span(number, attributes=ORDINARY) for number in range(count)]
    spans[where].attributes.append(KEY)
    decoded = decode(*spans)
    assert (
        warning(decoded)
        == "kept, but: 1 with key_strindex or string_value_strindex, which only profiles may have: taken as empty"
    )
    assert decoded.batch is not None
    assert decoded.batch.rows.num_rows == count


@pytest.mark.parametrize("count", [1, 500])
def test_values_that_are_indices_are_warned_of(count):
    assert "strindex" in warning(decode(*(span(number, attributes=[VALUE] * 3) for number in range(count))))


@pytest.mark.parametrize("place", ["resource", "scope"])
@pytest.mark.parametrize("one", [KEY, VALUE], ids=["key", "value"])
def test_those_of_a_resource_and_of_a_scope_are_warned_of(place, one):
    assert warning(decode(span(1), span(2), **{place: one})).startswith("kept, but: 2 with key_strindex")


@given(st.lists(st.lists(st.sampled_from([*ORDINARY, KeyValue(), KeyValue(key="", value=AnyValue(int_value=9))]), max_size=90)))
def test_what_is_none_is_not_taken_for_one(lists):
    assert warning(decode(*(span(number, attributes=some) for number, some in enumerate(lists)))) == ""


def test_attributes_that_are_empty_or_unreadable_are_no_reason_to_fail():
    ids = field(1, b"\x01" * 16) + field(2, b"\x02" * 8)
    for octets in (b"", b"\xff", b"\x18"):
        payload = field(1, field(2, field(2, ids + field(9, octets) * 200)))
        decoded = span_decoder(lambda _: True).decode([Export(Signal.TRACES, payload, 0)], START)
        assert warning(decoded) == ""
