"""Values between wire bytes, Python and text: distinct values stay distinct, and text finds back what it was made from."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.values import UNREADABLE, any_value_json, flat, key_value, readable, text_of, values_of_text, wire_forms
from tests.telemetry import EVERY_VALUE, any_value, attributes

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8
).map(any_value)
# Text is its own text, so a string that looks like another value's text is that value too.
CONFUSING = st.sampled_from(['{"intValue":"1"}', "1", "true", "{}", "1.0", "NaN", '{"arrayValue":{"values":[]}}']).map(
    any_value
)


@given(VALUES | CONFUSING)
def test_the_text_of_a_value_finds_the_value(value):
    assert value in values_of_text(text_of(value))


@given(VALUES)
def test_the_text_of_anything_but_a_string_is_compact_otlp_json(value):
    if not value.HasField("string_value"):
        document = json.loads(text_of(value))
        assert document == any_value_json(value)
        assert " " not in text_of(any_value([1, {"k": True}]))


@given(VALUES, VALUES)
def test_values_of_one_text_are_equal_unless_one_is_a_string(one, other):
    strings = one.HasField("string_value") or other.HasField("string_value")
    if text_of(one) == text_of(other) and not strings:
        assert one == other


def test_one_and_one_and_one_and_true_are_four_texts():
    texts = {text_of(any_value(value)) for value in (1, 1.0, "1", True)}
    assert texts == {'{"intValue":"1"}', '{"doubleValue":1.0}', "1", '{"boolValue":true}'}


@pytest.mark.parametrize(("number", "text"), [(math.inf, '"Infinity"'), (-math.inf, '"-Infinity"'), (math.nan, '"NaN"')])
def test_numbers_that_json_lacks_go_by_name(number, text):
    assert text_of(any_value(number)) == f'{{"doubleValue":{text}}}'
    found = values_of_text(text_of(any_value(number)))[-1].double_value
    assert found == number or (math.isnan(found) and math.isnan(number))


@given(st.text(max_size=9), VALUES)
def test_the_wire_forms_hold_what_opentelemetry_would_send(key, value):
    sent = KeyValue(key=key, value=value).SerializeToString()
    assert sent in wire_forms(key, text_of(value))


@pytest.mark.parametrize("value", EVERY_VALUE.values(), ids=EVERY_VALUE.keys())
def test_the_wire_forms_hold_every_kind_of_value(value):
    (pair,) = attributes({"k": value})
    assert pair.SerializeToString() in wire_forms("k", text_of(pair.value))


SPELLED: dict[str, list[object]] = {
    "500": ["500", 500, 500.0],
    "-1": ["-1", -1, -1.0],
    "1.5": ["1.5", 1.5],
    "1e3": ["1e3", 1000.0],
    "true": ["true", True],
    "false": ["false", False],
    "True": ["True"],
    "": [""],
    "{": ["{"],
    "{}": ["{}", None],
    "9223372036854775807": ["9223372036854775807", 2**63 - 1, 2.0**63],
    "9223372036854775808": ["9223372036854775808", 2.0**63],
    '{"intValue":"500"}': ['{"intValue":"500"}', 500],
    '{"intValue":500}': ['{"intValue":500}', 500],
    '{"boolValue":true}': ['{"boolValue":true}', True],
    '{"bytesValue":"AP8="}': ['{"bytesValue":"AP8="}', b"\x00\xff"],
    '{"stringValue":"x"}': ['{"stringValue":"x"}', "x"],
    '{"intValue":"1","boolValue":true}': ['{"intValue":"1","boolValue":true}'],
    '{"intValue":"x"}': ['{"intValue":"x"}'],
    '{"intValue":"99999999999999999999"}': ['{"intValue":"99999999999999999999"}'],
    '{"bytesValue":"!"}': ['{"bytesValue":"!"}'],
    '{"otherValue":1}': ['{"otherValue":1}'],
    '{"arrayValue":{}}': ['{"arrayValue":{}}'],
    '{"kvlistValue":{"values":[{"key":"a"}]}}': ['{"kvlistValue":{"values":[{"key":"a"}]}}'],
}


@pytest.mark.parametrize(("text", "meant"), SPELLED.items(), ids=SPELLED.keys())
def test_a_text_means_itself_and_the_values_that_it_spells(text, meant):
    assert values_of_text(text) == [any_value(value) for value in meant]


@given(st.text())
def test_any_text_means_at_least_itself(text):
    assert values_of_text(text)[0] == AnyValue(string_value=text)


@pytest.mark.parametrize(
    "text", ["1_000", " 5", "5\n", "٥", "1_0.5", '{"intValue":1.9}', '{"intValue":true}', '{"doubleValue":true}']
)
def test_what_spells_no_number_means_only_itself(text):
    assert values_of_text(text) == [any_value(text)]


@pytest.mark.parametrize("wire", [b"\xff", b"\x0a\x05a", b"\x0a\x02\xff\xfe", b"\x12\x03\x0a\x01\xff"])
def test_bytes_that_are_no_attribute_say_so(wire):
    assert key_value(wire) == KeyValue(value=AnyValue(string_value=UNREADABLE))


def test_of_duplicate_keys_the_first_counts():
    assert flat([*attributes({"k": "1"}), *attributes({"k": "2"})]) == {"k": "1"}


@pytest.mark.parametrize("kind", ["list", "map"])
def test_the_deepest_value_that_can_be_read_has_a_text(kind):
    value: object = 1
    for _ in range(32):
        value = [value] if kind == "list" else {"k": value}
    assert any_value(value) in values_of_text(text_of(any_value(value)))


@pytest.mark.parametrize("wire", [b"\n\x01k\x12\x04\n\x02\xff\xfe", b"\n\x7fk", b"\xff"])
def test_what_no_tool_could_read_is_said_to_be_unreadable(wire):
    whole = KeyValue(key="k", value=AnyValue(string_value="ü")).SerializeToString()

    kept, said = readable([whole, wire])

    assert whole == kept
    assert KeyValue.FromString(said).value.string_value == UNREADABLE
