"""OTLP/JSON to protobuf bytes: what OTLP's JSON mapping lets a sender write."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from agent.batch import Signal
from agent.decode import json as otlp_json
from tests.agent.decode.written import REQUESTS, TRACE_ID, point, request, span, value


@pytest.fixture(scope="module", autouse=True, params=["at once", "walked"])
def _read(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test twice: a small body is read at once, a large one walked."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "walked":
            patch.setattr(otlp_json, "WHOLE_BYTES", -1)
        yield


def _fill(message: Any, depth: int = 0) -> None:
    """Every field of every message, so that none is forgotten; of a oneof the last stays."""
    fields = FieldDescriptor
    for field in message.DESCRIPTOR.fields:
        scalar = {
            fields.CPPTYPE_STRING: b"\x00\xfe" * 8 if field.type == fields.TYPE_BYTES else "tëxt",
            fields.CPPTYPE_BOOL: True,
            fields.CPPTYPE_DOUBLE: -1.5,
            fields.CPPTYPE_ENUM: 1,
            fields.CPPTYPE_INT32: -(1 << 31),
            fields.CPPTYPE_UINT32: (1 << 32) - 1,
            fields.CPPTYPE_INT64: -(1 << 63),
            fields.CPPTYPE_UINT64: (1 << 64) - 1,
        }.get(field.cpp_type)
        if scalar is None:
            for _ in range(2 if field.is_repeated else 1):
                if depth < 12:
                    part = getattr(message, field.name)
                    part = part.add() if field.is_repeated else part
                    part.SetInParent()
                    _fill(part, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend([scalar, scalar])
        else:
            setattr(message, field.name, scalar)


def _hex_ids(value: Any) -> Any:
    """Proto's JSON writes ids in base64, OTLP's in hex."""
    if isinstance(value, list):
        return [_hex_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {k: base64.b64decode(v).hex() if k in ids else _hex_ids(v) for k, v in value.items()}


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("enums_as_integers", [True, False])
def test_every_field_of_every_message_survives(signal, enums_as_integers):
    whole = REQUESTS[signal]()
    _fill(whole)
    written = json_format.MessageToDict(whole, use_integers_for_enums=enums_as_integers)
    assert whole == request(signal, json.dumps(_hex_ids(written)).encode())


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("body", [b"{}", b" {} ", b"\xef\xbb\xbf{}", b'{"resourceSpans":[],"resourceLogs":[]}'])
def test_an_empty_request_is_one(signal, body):
    assert not request(signal, body).ListFields()


def test_ids_are_hexadecimal_in_either_case_everywhere():
    written = {"traceId": TRACE_ID.upper(), "spanId": "EEE19b7ec3c1b174", "parentSpanId": "eee19b7ec3c1b173"}
    ids = span({**written, "links": [{"traceId": TRACE_ID, "spanId": "EEE19B7EC3C1B174"}]})
    assert (ids.trace_id.hex(), ids.span_id.hex(), ids.parent_span_id.hex()) == (
        TRACE_ID,
        "eee19b7ec3c1b174",
        "eee19b7ec3c1b173",
    )
    assert (ids.links[0].trace_id.hex(), ids.links[0].span_id.hex()) == (TRACE_ID, "eee19b7ec3c1b174")
    exemplar = point("sum", {"exemplars": [{"traceId": TRACE_ID.upper(), "spanId": "EEE19b7ec3c1b174"}]}).exemplars[0]
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == (TRACE_ID, "eee19b7ec3c1b174")


def test_an_empty_parent_makes_a_root():
    assert span({"parentSpanId": ""}).parent_span_id == b""


@pytest.mark.parametrize(
    "number", ["9223372036854775807", -9223372036854775808, (1 << 53) + 1, "-1", 0, "0", -(1 << 63), 1e2, 7]
)
def test_int64_is_exact_as_a_string_and_as_a_number(number):
    assert int(number) == value({"intValue": number}).int_value


def test_64_bit_integers_are_taken_as_strings_and_as_numbers_in_every_place():
    as_strings = point("histogram", {"timeUnixNano": "18446744073709551615", "count": "3", "bucketCounts": ["1", "2"]})
    as_numbers = point("histogram", {"timeUnixNano": (1 << 64) - 1, "count": 3, "bucketCounts": [1, 2]})
    assert as_strings == as_numbers
    assert (as_numbers.time_unix_nano, list(as_numbers.bucket_counts)) == ((1 << 64) - 1, [1, 2])
    assert span({"droppedAttributesCount": "4"}) == span({"droppedAttributesCount": 4})
    assert point("gauge", {"asInt": "-5"}).as_int == -5


def test_unknown_and_snake_case_fields_are_ignored_on_every_level():
    scope = b'{"zzz":"","spans":[{"trace_id":"0","zzz":{}}]}'
    body = b'{"zzz":[{}],"resource_spans":[{}],"resourceSpans":[{"scope_spans":[{}],"scopeSpans":[' + scope + b"]}]}"
    (resource_spans,) = request(Signal.TRACES, body).resource_spans
    assert not resource_spans.scope_spans[0].spans[0].ListFields()


def test_null_is_absent():
    empty = span({"name": None, "kind": None, "events": None, "status": None, "traceId": None, "endTimeUnixNano": None})
    assert not empty.ListFields()


def test_an_empty_status_is_there_and_unset():
    assert span({"status": {}}).HasField("status")
    assert span({"status": {}}).status.code == 0
    assert not span({}).HasField("status")


def test_enums_are_integers_unknown_ones_too_or_names():
    assert span({"kind": 3, "status": {"code": 2}}) == span(
        {"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"}}
    )
    assert span({"kind": 77}).kind == 77
    assert span({"kind": "3"}).kind == 3


@pytest.mark.parametrize("text", ["AP/+", "AP_-", "AA==", "AA", ""])
def test_bytes_are_base64_in_either_alphabet_padded_or_not(text):
    padded = text.replace("_", "/").replace("-", "+")
    assert base64.b64decode(padded + "=" * (-len(padded) % 4)) == value({"bytesValue": text}).bytes_value


@pytest.mark.parametrize(
    ("written", "number"),
    [("Infinity", math.inf), ("-Infinity", -math.inf), ("1.5e3", 1500.0), (1, 1.0), (-0.5, -0.5), ("-7", -7.0)],
)
def test_doubles_are_numbers_or_strings_of_them(written, number):
    assert number == value({"doubleValue": written}).double_value


def test_not_a_number_is_a_double():
    assert math.isnan(value({"doubleValue": "NaN"}).double_value)


def test_values_that_look_alike_keep_their_types():
    kinds = [
        value(v).WhichOneof("value") for v in ({"intValue": 1}, {"doubleValue": 1}, {"stringValue": "1"}, {"boolValue": True})
    ]
    assert kinds == ["int_value", "double_value", "string_value", "bool_value"]
    assert value({"stringValue": ""}).WhichOneof("value") == "string_value"
    assert value({"arrayValue": {}}).WhichOneof("value") == "array_value"
    assert value({}).WhichOneof("value") is None


def test_an_absent_sum_is_not_a_sum_of_zero():
    assert not point("histogram", {}).HasField("sum")
    assert point("histogram", {"sum": 0}).HasField("sum")
    assert point("exponentialHistogram", {"scale": -3, "positive": {"offset": -9}}).positive.offset == -9


def test_of_a_key_that_stands_twice_the_last_counts():
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","name":"b"}]}]}]}'
    assert request(Signal.TRACES, body).resource_spans[0].scope_spans[0].spans[0].name == "b"


def test_long_strings_keep_their_bytes():
    for length in (127, 128, 16_383, 16_384, 1 << 20):
        assert span({"name": "é" * length}).name == "é" * length
