"""The scalar fields of OTLP/JSON: from a JSON value to wire bytes; see ``json.py`` for what a sender may write."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from agent.decode.wire import signed_varint, varint, with_length, zigzag

Write = Callable[[object, int], bytes]
"""From a JSON value and the depth it stands at to wire bytes; raises ``WrongError``."""

Make = Callable[[bytes], Write]
"""From a field's tag to its writer."""

EXACT_FLOAT = 1 << 53
_BROKEN_ID_BYTES = 7
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
VARINT, LENGTH_DELIMITED = 0, 2  # wire types


class WrongError(Exception):
    """A value that its field cannot hold: what is expected, and the path to it from the inside outward."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.path: list[str] = []


def _integer(value: object, low: int, high: int, expected: str) -> int:
    if type(value) is str and _DECIMAL.fullmatch(value):
        value = int(value)
    if type(value) is float and value.is_integer() and abs(value) <= EXACT_FLOAT:
        value = int(value)
    if type(value) is not int or not low <= value <= high:  # isinstance would take a bool
        raise WrongError(expected)
    return value


def _integers(expected: str, low: int, high: int, to_bytes: Callable[[int], bytes]) -> Make:
    return lambda tag: lambda value, _depth: tag + to_bytes(_integer(value, low, high, expected))


def _doubles(tag: bytes) -> Write:
    def write(value: object, _depth: int) -> bytes:
        if type(value) is str:
            value = float(value) if _NUMBER.fullmatch(value) else _NOT_NUMBERS.get(value)
        if type(value) is not int and type(value) is not float:
            raise WrongError('a number, "NaN", "Infinity" or "-Infinity"')
        return tag + struct.pack("<d", value)

    return write


def _bools(tag: bytes) -> Write:
    def write(value: object, _depth: int) -> bytes:
        if type(value) is not bool:
            raise WrongError("true or false")
        return tag + (b"\x01" if value else b"\x00")

    return write


def _texts(expected: str, octets_of: Callable[[str], bytes]) -> Make:
    def make(tag: bytes) -> Write:
        prefixed = with_length(tag)

        def write(value: object, _depth: int) -> bytes:
            if type(value) is not str:
                raise WrongError(expected)
            return prefixed(octets_of(value))

        return write

    return make


def _octets_of_base64(text: str) -> bytes:
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise WrongError("a base64 string") from None


def _octets_of_id(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) * 2 == len(text):  # fromhex skips blanks
        return octets
    return text.encode()[:_BROKEN_ID_BYTES]


def enums(descriptor: EnumDescriptor) -> Make:
    """Integers, or the names of the enum's values."""
    numbers = {name: value.number for name, value in descriptor.values_by_name.items()}
    expected = f"an integer or the name of a {descriptor.name}"

    def make(tag: bytes) -> Write:
        def write(value: object, _depth: int) -> bytes:
            if type(value) is str:
                value = numbers.get(value, value)
            return tag + signed_varint(_integer(value, *_INT32, expected))

        return write

    return make


_FD = FieldDescriptor
_INT32, _UINT32 = (-(1 << 31), (1 << 31) - 1), (0, (1 << 32) - 1)
INT64, _UINT64 = (-(1 << 63), (1 << 63) - 1), (0, (1 << 64) - 1)
IDS = _texts("a string of hexadecimal digits", _octets_of_id)
SCALARS: dict[int, tuple[int, Make]] = {
    _FD.TYPE_DOUBLE: (1, _doubles),
    _FD.TYPE_BOOL: (VARINT, _bools),
    _FD.TYPE_STRING: (LENGTH_DELIMITED, _texts("a string", str.encode)),
    _FD.TYPE_BYTES: (LENGTH_DELIMITED, _texts("a base64 string", _octets_of_base64)),
    _FD.TYPE_INT32: (VARINT, _integers("an int32", *_INT32, signed_varint)),
    _FD.TYPE_SINT32: (VARINT, _integers("an int32", *_INT32, zigzag)),
    _FD.TYPE_UINT32: (VARINT, _integers("a uint32", *_UINT32, varint)),
    _FD.TYPE_INT64: (VARINT, _integers("an int64", *INT64, signed_varint)),
    _FD.TYPE_UINT64: (VARINT, _integers("a uint64", *_UINT64, varint)),
    _FD.TYPE_FIXED32: (5, _integers("a uint32", *_UINT32, struct.Struct("<I").pack)),
    _FD.TYPE_FIXED64: (1, _integers("a uint64", *_UINT64, struct.Struct("<Q").pack)),
    _FD.TYPE_SFIXED64: (1, _integers("an int64", *INT64, struct.Struct("<q").pack)),
}
"""Wire type and writer of every scalar type that OTLP uses; another one fails at import."""
