"""OTLP/JSON that is none: what is refused, and how the sender is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import errors
from agent.batch import Signal
from agent.decode import json as otlp_json
from agent.decode.json import MAX_DEPTH, protobuf_of_json
from tests.agent.decode.written import TRACE_ID, request, span, wrong


@pytest.fixture(scope="module", autouse=True, params=["at once", "walked"])
def _read(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test twice: a small body is read at once, a large one walked."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "walked":
            patch.setattr(otlp_json, "WHOLE_BYTES", -1)
        yield


def _names() -> st.SearchStrategy[str]:
    """Of OTLP's fields: other names would end every walk at the top."""
    return st.sampled_from(sorted({name for message in otlp_json._MESSAGES.values() for name in message._fields}))


@pytest.mark.parametrize(
    "wrong",
    [
        base64.b64encode(bytes.fromhex(TRACE_ID)).decode(),
        TRACE_ID[:-1],
        TRACE_ID[:-2],
        " " * 32,
        TRACE_ID[:-2] + "  ",
        "g" * 32,
        "g",
        "é" * 16,
        "zzzzzzzz",
    ],
)
def test_an_id_that_is_none_gets_a_length_that_no_id_has(wrong):
    broken = span({"traceId": wrong, "spanId": wrong, "name": "kept"})
    assert broken.name == "kept"
    assert len(broken.trace_id) not in {0, 16}
    assert len(broken.span_id) not in {0, 8}


@pytest.mark.parametrize(
    ("span", "path", "expected"),
    [
        ({"droppedAttributesCount": 1 << 32}, "droppedAttributesCount", "a uint32"),
        ({"droppedAttributesCount": -1}, "droppedAttributesCount", "a uint32"),
        ({"droppedAttributesCount": True}, "droppedAttributesCount", "a uint32"),
        ({"droppedAttributesCount": 1.5}, "droppedAttributesCount", "a uint32"),
        ({"droppedAttributesCount": []}, "droppedAttributesCount", "a uint32"),
        ({"startTimeUnixNano": "1_000"}, "startTimeUnixNano", "a uint64"),
        ({"startTimeUnixNano": "١"}, "startTimeUnixNano", "a uint64"),
        ({"startTimeUnixNano": ""}, "startTimeUnixNano", "a uint64"),
        ({"startTimeUnixNano": str(1 << 64)}, "startTimeUnixNano", "a uint64"),
        ({"startTimeUnixNano": 1e300}, "startTimeUnixNano", "a uint64"),
        ({"kind": 1 << 31}, "kind", "an integer or the name of a SpanKind"),
        ({"kind": "SPAN_KIND_NONSENSE"}, "kind", "an integer or the name of a SpanKind"),
        ({"name": 1}, "name", "a string"),
        ({"traceId": 1}, "traceId", "a string of hexadecimal digits"),
        ({"status": []}, "status", "an object"),
        ({"events": {}}, "events", "a list"),
        ({"events": [{}, None]}, "events[1]", "an object"),
        ({"events": [{}, {}, {"name": {}}]}, "events[2].name", "a string"),
        ({"attributes": [{"value": {"boolValue": 1}}]}, "attributes[0].value.boolValue", "true or false"),
        ({"attributes": [{"value": {"intValue": "9223372036854775808"}}]}, "attributes[0].value.intValue", "an int64"),
        ({"attributes": [{"value": {"bytesValue": "*"}}]}, "attributes[0].value.bytesValue", "a base64 string"),
        ({"attributes": [{"value": {"bytesValue": 1}}]}, "attributes[0].value.bytesValue", "a base64 string"),
        ({"attributes": [{"value": {"doubleValue": "nan"}}]}, "attributes[0].value.doubleValue", "a number"),
        ({"attributes": [{"value": {"doubleValue": True}}]}, "attributes[0].value.doubleValue", "a number"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_malformed_and_named_by_its_path_alone(span, path, expected):
    message = wrong(span)
    assert message.startswith(f"resourceSpans[0].scopeSpans[0].spans[0].{path}: expected {expected}")
    assert "NONSENSE" not in message


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b'"x"', b'{"a":NaN}', b"\xff", b'{"a":"\\ud800"}', b'{"\\udfff":1}']
)
def test_what_is_no_json_object_of_unicode_is_malformed(body):
    assert wrong(body).startswith(("the body is not JSON: ", "the request: expected an object"))


def _nested(levels: int) -> Any:
    written: Any = {"stringValue": "deep"}
    for _ in range(levels):
        written = {"arrayValue": {"values": [written]}}
    return {"attributes": [{"key": "k", "value": written}]}


def test_nesting_goes_as_deep_as_protobuf_parsers_take():
    deepest = (MAX_DEPTH - 6) // 2  # the first value is the sixth message, each level two more
    assert span(_nested(deepest)).attributes
    assert f"at most {MAX_DEPTH} messages" in wrong(_nested(deepest + 1))


def test_a_thousand_levels_are_refused():
    arrays = b'{"arrayValue":{"values":[' * 300 + b"{}" + b"]}}" * 300
    message = wrong(b'{"resourceSpans":[{"resource":{"attributes":[{"value":' + arrays + b"}]}}]}")
    assert f"at most {MAX_DEPTH} messages" in message
    assert len(message) < 300
    kvlist = b'{"kvlistValue":{"values":[{"key":"k","value":' * 1000 + b"{}" + b"}]}}" * 1000
    wrong(b'{"resourceSpans":[{"resource":{"attributes":[{"value":' + kvlist + b"}]}}]}")
    wrong(b"[" * 100_000)


def test_a_body_of_little_but_brackets_is_too_large(monkeypatch):
    monkeypatch.setattr(otlp_json, "MAX_TOKENS", 50)
    with pytest.raises(errors.TooLarge, match="more than 50 brackets and commas"):
        protobuf_of_json(Signal.TRACES, b'{"resourceSpans":[' + b",".join([b"{}"] * 25) + b"]}")
    assert len(request(Signal.TRACES, b'{"resourceSpans":[' + b",".join([b"{}"] * 24) + b"]}").resource_spans) == 24


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names(), inner, max_size=4),
    max_leaves=30,
)


@given(_JSON, st.sampled_from(list(Signal)))
def test_any_json_becomes_a_request_or_is_malformed(value, signal):
    try:
        request(signal, json.dumps(value).encode())
    except errors.MalformedExport as error:
        assert error.message  # noqa: PT017  # either outcome is right
