"""Builders that the tests of this room share: attributes as wire bytes, and a secret to plant."""

from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

SECRET = "bob.planted@example.com"


def any_value(value: Any) -> AnyValue:
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=[pair(k, v) for k, v in value.items()]))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(v) for v in value]))
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
    return AnyValue(**{kinds[type(value)]: value})


def pair(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def wire(key: str, value: Any) -> bytes:
    return pair(key, value).SerializeToString()
