"""OTLP values between wire bytes, Python and text.

The flat text of a value: a string bare, anything else as compact OTLP JSON (``{"intValue":"500"}``), so that 1, 1.0, "1" and
true stay distinct. Wire bytes are those of ``opentelemetry.proto.common.v1``.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NAMED_NUMBERS = frozenset(("NaN", "Infinity", "-Infinity"))

Json = Any
"""What a JSON document holds; mypy cannot write the recursion without naming each level."""

UNREADABLE = "[unreadable]"
"""Stands for a value whose wire bytes do not parse: upb refuses what is nested deeper than a hundred messages."""


def key_value(wire: bytes) -> KeyValue:
    """The KeyValue in ``wire``; unreadable bytes become the value ``[unreadable]`` under an empty key."""
    try:
        return KeyValue.FromString(wire)
    except DecodeError:
        return KeyValue(value=AnyValue(string_value=UNREADABLE))


def readable(wires: Iterable[bytes]) -> list[bytes]:
    """These KeyValues as any OTLP tool can read them: bytes that are none, or strings that are not UTF-8, are said to be so."""
    return [wire if _parses(wire) else _UNREADABLE_WIRE for wire in wires]


def _parses(wire: bytes) -> bool:
    try:
        KeyValue.FromString(wire)
    except DecodeError:
        return False
    return True


_UNREADABLE_WIRE = KeyValue(value=AnyValue(string_value=UNREADABLE)).SerializeToString()


def _double_json(value: float) -> Json:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


_JSON_OF_KIND: dict[str, Callable[[AnyValue], Json]] = {
    "string_value": lambda v: {"stringValue": v.string_value},
    "bool_value": lambda v: {"boolValue": v.bool_value},
    "int_value": lambda v: {"intValue": str(v.int_value)},
    "double_value": lambda v: {"doubleValue": _double_json(v.double_value)},
    "bytes_value": lambda v: {"bytesValue": base64.b64encode(v.bytes_value).decode()},
    "array_value": lambda v: {"arrayValue": {"values": [any_value_json(x) for x in v.array_value.values]}},
    "kvlist_value": lambda v: {
        "kvlistValue": {"values": [{"key": x.key, "value": any_value_json(x.value)} for x in v.kvlist_value.values]}
    },
    "string_value_strindex": lambda _: {},  # profiles only: absent for other signals (specification 1.10.0)
}


def any_value_json(value: AnyValue) -> Json:
    """The value as OTLP JSON: integers as decimal strings, bytes as base64, NaN and infinities by name, unset as {}."""
    kind = value.WhichOneof("value")
    return {} if kind is None else _JSON_OF_KIND[kind](value)


def text_of(value: AnyValue) -> str:
    """The flat text of a value: a string bare, anything else as compact OTLP JSON."""
    if value.HasField("string_value"):
        return value.string_value
    return orjson.dumps(any_value_json(value)).decode()


def flat(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes by key in flat text; of duplicate keys the first counts."""
    result: dict[str, str] = {}
    for attribute in attributes:
        if attribute.key not in result:
            result[attribute.key] = text_of(attribute.value)
    return result


def folded(text: str) -> str:
    """A text without its case; the Greek S that ends a word is an S like any other."""
    return text.lower().replace("ς", "σ")


def _value_of_json(document: Json) -> AnyValue | None:
    """The AnyValue that OTLP JSON describes, or None when the document is not one."""
    if not isinstance(document, dict) or len(document) != 1:
        return AnyValue() if document == {} else None
    ((kind, content),) = document.items()
    try:
        return _VALUE_OF_KIND[kind](content)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, DecodeError):
        return None


def _one_of(content: Json, *kinds: type) -> Json:
    """The content when it has one of these types exactly: a bool is no number."""
    if type(content) not in kinds:
        raise ValueError("of another type")
    return content


def _required(value: AnyValue | None) -> AnyValue:
    if value is None:
        raise ValueError("not an AnyValue")
    return value


def _array_of_json(content: Json) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(_required(_value_of_json(x)) for x in content["values"])
    return value


def _kvlist_of_json(content: Json) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.values.extend(
        KeyValue(key=x["key"], value=_required(_value_of_json(x["value"]))) for x in content["values"]
    )
    return value


_VALUE_OF_KIND: dict[str, Callable[[Json], AnyValue]] = {
    "stringValue": lambda c: AnyValue(string_value=c),
    "boolValue": lambda c: AnyValue(bool_value=_one_of(c, bool)),
    "intValue": lambda c: AnyValue(int_value=int(_one_of(c, int, str))),
    "doubleValue": lambda c: AnyValue(double_value=float(_one_of(c, int, float, str))),
    "bytesValue": lambda c: AnyValue(bytes_value=base64.b64decode(c, validate=True)),
    "arrayValue": _array_of_json,
    "kvlistValue": _kvlist_of_json,
}


def _plain_forms(text: str) -> Iterable[AnyValue]:
    """The booleans and numbers that a person means by ``text``."""
    if text in ("true", "false"):
        yield AnyValue(bool_value=text == "true")
    if _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        yield AnyValue(int_value=int(text))
    if _NUMBER.fullmatch(text) or text in _NAMED_NUMBERS:
        yield AnyValue(double_value=float(text))


def values_of_text(text: str) -> list[AnyValue]:
    """Every value whose flat text is ``text``, and the numbers or boolean that it spells.

    Used by attribute filters: ``500`` means the string, the integer and the double.
    """
    found = [AnyValue(string_value=text), *_plain_forms(text)]
    if text.startswith("{"):
        try:
            value = _value_of_json(orjson.loads(text))
        except orjson.JSONDecodeError:
            value = None
        if value is not None:
            found.append(value)
    return found


def wire_forms(key: str, text: str) -> list[bytes]:
    """The wire bytes of every attribute that a filter ``key = text`` means, as OpenTelemetry SDKs encode them."""
    return [KeyValue(key=key, value=value).SerializeToString() for value in values_of_text(text)]


def length_delimited(field: int, content: bytes) -> bytes:
    """A field of a message in wire form: bytes, a string or a message (protobuf encoding, wire type 2)."""
    return delimiter(field, len(content)) + content


def delimiter(field: int, size: int) -> bytes:
    """What stands before the content of such a field."""
    if field < 16 and size < 128:
        return bytes((field << 3 | 2, size))
    head = bytearray()
    for number in (field << 3 | 2, size):
        left = number
        while left > 0x7F:
            head.append(left & 0x7F | 0x80)
            left >>= 7
        head.append(left)
    return bytes(head)
