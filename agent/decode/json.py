"""OTLP/JSON to the same request as protobuf bytes, written field by field from the descriptors of opentelemetry-proto.

What a sender may write, where OTLP's JSON mapping leaves a choice:

- Names are lowerCamelCase; every other name, snake_case too, is unknown and ignored. ``null`` is an absent field. Of a key
  that stands twice the last counts.
- ``traceId``, ``spanId`` and ``parentSpanId`` are hexadecimal in either case. One that is not (base64, say) must cost its
  record alone: it becomes at most ``_BROKEN_ID_BYTES`` bytes of the text, a length that no id has.
- Integers are JSON numbers or strings of decimal digits, exact over the whole range of their type; 1e2 is a number, "1e2" not.
  An ``intValue`` beyond int64 or with a fraction becomes a double: Node writes 1e300 so, and one value must not cost a batch.
- Enums are integers, unknown ones included, or, as the Collector takes them too, the name of a value.
- Doubles are numbers, or strings of numbers, "NaN", "Infinity" and "-Infinity". Bytes are base64 in either alphabet.
- A byte order mark is skipped. Lone surrogates, NaN as a literal and messages deeper than ``MAX_DEPTH`` are malformed.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agent import errors
from agent.batch import Signal
from agent.decode.wire import signed_varint, varint, with_length, zigzag

MAX_DEPTH = 100
"""Messages inside each other, the request counted: what protobuf parsers take. Thirty levels of kvlistValue fit."""

MAX_TOKENS = 1 << 22
"""Brackets and commas in a body: each is up to 96 bytes of memory while it is converted, so 400 MiB at the worst. 65536
spans of ten attributes have three million."""

_ID_NAMES = frozenset({"traceId", "spanId", "parentSpanId"})
_BROKEN_ID_BYTES = 7
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NOT_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_EXACT_FLOAT = 1 << 53
_BOM = b"\xef\xbb\xbf"
_VARINT, _LENGTH_DELIMITED = 0, 2  # wire types

_Write = Callable[[object, int], bytes]
"""From a JSON value and the depth it stands at to wire bytes; raises ``_WrongError``."""

_Make = Callable[[bytes], _Write]
"""From a field's tag to its writer."""


class _WrongError(Exception):
    """A value that its field cannot hold: what is expected, and the path to it from the inside outward."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.path: list[str] = []


def protobuf_of_json(signal: Signal, body: bytes) -> bytes:
    """The request in ``body`` as protobuf bytes.

    Raises:
        MalformedExport: not JSON, or a field with a value it cannot have; the message names the field's path.
        TooLarge: more than ``MAX_TOKENS`` brackets and commas.
    """
    if len(body) > MAX_TOKENS and sum(map(body.count, (b"{", b"[", b","))) > MAX_TOKENS:
        raise errors.TooLarge(f"the JSON body has more than {MAX_TOKENS} brackets and commas: send smaller batches")
    try:
        request = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise errors.MalformedExport(f"the body is not JSON: {error.msg} at byte {error.pos}") from None
    try:
        return _REQUESTS[signal](request, 0)
    except _WrongError as wrong:
        raise errors.MalformedExport(f"{_where(wrong.path)}: expected {wrong.expected}") from None


def _where(path: list[str]) -> str:
    """As a sender would write it; of a long path both ends."""
    where = "".join(reversed(path)).lstrip(".") or "the request"
    return where if len(where) <= 200 else f"{where[:100]}...{where[-97:]}"


def _integer(value: object, low: int, high: int, expected: str) -> int:
    if type(value) is str and _DECIMAL.fullmatch(value):
        value = int(value)
    if type(value) is float and value.is_integer() and abs(value) <= _EXACT_FLOAT:
        value = int(value)
    if type(value) is not int or not low <= value <= high:  # isinstance would take a bool
        raise _WrongError(expected)
    return value


def _integers(expected: str, low: int, high: int, to_bytes: Callable[[int], bytes]) -> _Make:
    return lambda tag: lambda value, _depth: tag + to_bytes(_integer(value, low, high, expected))


def _doubles(tag: bytes) -> _Write:
    def write(value: object, _depth: int) -> bytes:
        if type(value) is str:
            value = float(value) if _NUMBER.fullmatch(value) else _NOT_NUMBERS.get(value)
        if type(value) is not int and type(value) is not float:
            raise _WrongError('a number, "NaN", "Infinity" or "-Infinity"')
        return tag + struct.pack("<d", value)

    return write


def _bools(tag: bytes) -> _Write:
    def write(value: object, _depth: int) -> bytes:
        if type(value) is not bool:
            raise _WrongError("true or false")
        return tag + (b"\x01" if value else b"\x00")

    return write


def _texts(expected: str, octets_of: Callable[[str], bytes]) -> _Make:
    def make(tag: bytes) -> _Write:
        prefixed = with_length(tag)

        def write(value: object, _depth: int) -> bytes:
            if type(value) is not str:
                raise _WrongError(expected)
            return prefixed(octets_of(value))

        return write

    return make


def _octets_of_base64(text: str) -> bytes:
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _WrongError("a base64 string") from None


def _octets_of_id(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) * 2 == len(text):  # fromhex skips blanks
        return octets
    return text.encode()[:_BROKEN_ID_BYTES]


def _enums(descriptor: EnumDescriptor) -> _Make:
    numbers = {name: value.number for name, value in descriptor.values_by_name.items()}
    expected = f"an integer or the name of a {descriptor.name}"

    def make(tag: bytes) -> _Write:
        def write(value: object, _depth: int) -> bytes:
            if type(value) is str:
                value = numbers.get(value, value)
            return tag + signed_varint(_integer(value, *_INT32, expected))

        return write

    return make


_FD = FieldDescriptor
_INT32, _UINT32 = (-(1 << 31), (1 << 31) - 1), (0, (1 << 32) - 1)
_INT64, _UINT64 = (-(1 << 63), (1 << 63) - 1), (0, (1 << 64) - 1)
_IDS = _texts("a string of hexadecimal digits", _octets_of_id)
_SCALARS: dict[int, tuple[int, _Make]] = {
    _FD.TYPE_DOUBLE: (1, _doubles),
    _FD.TYPE_BOOL: (_VARINT, _bools),
    _FD.TYPE_STRING: (_LENGTH_DELIMITED, _texts("a string", str.encode)),
    _FD.TYPE_BYTES: (_LENGTH_DELIMITED, _texts("a base64 string", _octets_of_base64)),
    _FD.TYPE_INT32: (_VARINT, _integers("an int32", *_INT32, signed_varint)),
    _FD.TYPE_SINT32: (_VARINT, _integers("an int32", *_INT32, zigzag)),
    _FD.TYPE_UINT32: (_VARINT, _integers("a uint32", *_UINT32, varint)),
    _FD.TYPE_INT64: (_VARINT, _integers("an int64", *_INT64, signed_varint)),
    _FD.TYPE_UINT64: (_VARINT, _integers("a uint64", *_UINT64, varint)),
    _FD.TYPE_FIXED32: (5, _integers("a uint32", *_UINT32, struct.Struct("<I").pack)),
    _FD.TYPE_FIXED64: (1, _integers("a uint64", *_UINT64, struct.Struct("<Q").pack)),
    _FD.TYPE_SFIXED64: (1, _integers("an int64", *_INT64, struct.Struct("<q").pack)),
}
"""Wire type and writer of every scalar type that OTLP uses; another one fails at import."""


def _packed(tag: bytes, write_one: _Write) -> _Write:
    prefixed = with_length(tag)
    return lambda value, depth: prefixed(_each(value, depth, write_one))


def _repeated(write_one: _Write) -> _Write:
    return lambda value, depth: _each(value, depth, write_one)


def _each(value: object, depth: int, write_one: _Write) -> bytes:
    if type(value) is not list:
        raise _WrongError("a list")
    out: list[bytes] = []
    try:
        for one in value:
            out.append(write_one(one, depth))  # noqa: PERF401  # its length says where a wrong value stands
    except _WrongError as wrong:
        wrong.path.append(f"[{len(out)}]")
        raise
    return b"".join(out)


class _Message:
    """Writes one message type; its fields by JSON name."""

    def __init__(self, descriptor: Descriptor, known: dict[str, _Message]) -> None:
        known[descriptor.full_name] = self  # before its fields: AnyValue holds itself
        fields = sorted(descriptor.fields, key=lambda field: field.number)
        self._fields = {field.json_name: _field(field, known) for field in fields}

        if descriptor.full_name == AnyValue.DESCRIPTOR.full_name:
            self._fields["intValue"] = _number(self._fields["intValue"], self._fields["doubleValue"])

    def write(self, value: object, depth: int) -> bytes:
        """The message's fields, without tag and length."""
        if type(value) is not dict:
            raise _WrongError("an object")
        if depth >= MAX_DEPTH:
            raise _WrongError(f"at most {MAX_DEPTH} messages inside each other")
        fields = self._fields
        out: list[bytes] = []
        name, depth = "", depth + 1
        try:
            # In the order of the fields' numbers, as every SDK writes them: attribute filters compare bytes.
            for name in value if len(value) == 1 else fields:
                member = value.get(name)
                if member is not None and name in fields:
                    out.append(fields[name](member, depth))
        except _WrongError as wrong:
            wrong.path.append(f".{name}")
            raise
        return b"".join(out)

    def as_field(self, tag: bytes) -> _Write:
        """Writes the message as a field."""
        prefixed, write = with_length(tag), self.write
        return lambda value, depth: prefixed(write(value, depth))


def _number(as_integer: _Write, as_double: _Write) -> _Write:
    def write(value: object, depth: int) -> bytes:
        beyond = type(value) is float or (type(value) is int and not _INT64[0] <= value <= _INT64[1])
        if beyond and not (type(value) is float and value.is_integer() and abs(value) <= _EXACT_FLOAT):
            return as_double(value, depth)
        return as_integer(value, depth)

    return write


def _field(field: FieldDescriptor, known: dict[str, _Message]) -> _Write:
    make: _Make
    if field.message_type is not None:
        inner = known.get(field.message_type.full_name) or _Message(field.message_type, known)
        wire_type, make = _LENGTH_DELIMITED, inner.as_field
    elif field.enum_type is not None:
        wire_type, make = _VARINT, _enums(field.enum_type)
    elif field.json_name in _ID_NAMES:
        wire_type, make = _LENGTH_DELIMITED, _IDS
    else:
        wire_type, make = _SCALARS[field.type]
    tag = varint(field.number << 3 | wire_type)
    if not field.is_repeated:
        return make(tag)
    if wire_type == _LENGTH_DELIMITED:
        return _repeated(make(tag))
    return _packed(varint(field.number << 3 | _LENGTH_DELIMITED), make(b""))


_MESSAGES: dict[str, _Message] = {}
_REQUESTS: dict[Signal, _Write] = {
    signal: _Message(request.DESCRIPTOR, _MESSAGES).write
    for signal, request in (
        (Signal.TRACES, ExportTraceServiceRequest),
        (Signal.METRICS, ExportMetricsServiceRequest),
        (Signal.LOGS, ExportLogsServiceRequest),
    )
}
