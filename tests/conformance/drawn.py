"""Any valid OTLP request, drawn by walking the descriptors, so that no field of any message is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint

from agent.batch import Signal
from tests.flow.roundtrip import WIRES

_DEEPEST = 12
_ENVELOPES = 3
"""Request, resource part, scope part: of these nothing is empty."""

_FD = FieldDescriptor
_TEXT = st.text(max_size=6) | st.sampled_from(["", "grüße 🎉", "a\0b", "'quoted\" \\", "x" * 300])
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    _FD.CPPTYPE_STRING: _TEXT,
    _FD.CPPTYPE_BOOL: st.booleans(),
    _FD.CPPTYPE_DOUBLE: st.floats(),
    _FD.CPPTYPE_INT32: st.integers(-(1 << 31), (1 << 31) - 1),
    _FD.CPPTYPE_UINT32: st.integers(0, (1 << 32) - 1),
    _FD.CPPTYPE_INT64: st.integers(-(1 << 63), (1 << 63) - 1),
    _FD.CPPTYPE_UINT64: st.integers(0, (1 << 64) - 1),
}


def _valid(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length).filter(any)


_TIME = st.integers(0, (1 << 63) - 1) | st.integers(1_790_000_000_000_000_000, 1_790_000_000_000_001_000)
_PARTICULAR: dict[str, st.SearchStrategy[Any]] = {
    "Span.trace_id": _valid(16),
    "Span.span_id": _valid(8),
    "Span.parent_span_id": st.just(b"") | st.binary(min_size=8, max_size=8),
    "Span.start_time_unix_nano": _TIME,
    "Span.end_time_unix_nano": _TIME,
    "LogRecord.trace_id": st.just(b"") | _valid(16),
    "LogRecord.span_id": st.just(b"") | _valid(8),
    "LogRecord.time_unix_nano": _TIME,
    "LogRecord.observed_time_unix_nano": _TIME,
    **{
        f"{kind}.{name}": strategy
        for kind in ("NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint", "SummaryDataPoint")
        for name, strategy in (("time_unix_nano", _TIME.filter(bool)), ("start_time_unix_nano", _TIME))
    },
    **{f"{kind}.aggregation_temporality": st.sampled_from([1, 2]) for kind in ("Sum", "Histogram", "ExponentialHistogram")},
}
"""What a field must be for its record to be valid, where the type alone does not say it."""

_ALWAYS = {"trace_id", "span_id", "time_unix_nano", "aggregation_temporality", "data_points"}
_NEVER = {"string_value_strindex", "key_strindex"}
"""Of profiles only: elsewhere they are ignored."""


def requests(signal: Signal) -> st.SearchStrategy[Any]:
    """Any valid request of a signal."""
    return _message(WIRES[signal].request.DESCRIPTOR, 0)


@st.composite
def _message(draw: Callable[[st.SearchStrategy[Any]], Any], descriptor: Descriptor, depth: int) -> Any:
    message = GetMessageClass(descriptor)()
    for group in descriptor.oneofs:
        if len(group.fields) > 1:
            chosen = draw(st.sampled_from([None, *(f for f in group.fields if _may(f, depth))]))
            if chosen is not None:
                _set(message, chosen, draw(_field(chosen, depth)))
    for field in descriptor.fields:
        alone = field.containing_oneof is None or len(field.containing_oneof.fields) == 1
        if alone and _may(field, depth) and (depth < _ENVELOPES or field.name in _ALWAYS or draw(st.booleans())):
            _set(message, field, draw(_field(field, depth)))
    _completed(message)
    return message


def _may(field: FieldDescriptor, depth: int) -> bool:
    return field.name not in _NEVER and (field.message_type is None or depth < _DEEPEST)


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    kind = field.containing_type
    assert kind is not None
    particular = _PARTICULAR.get(f"{kind.name}.{field.name}")
    one: st.SearchStrategy[Any]
    if particular is not None:
        one = particular
    elif field.message_type is not None:
        one = _message(field.message_type, depth + 1)
    elif field.enum_type is not None:
        one = st.sampled_from([*field.enum_type.values_by_number, 77])
    elif field.type == _FD.TYPE_BYTES:
        one = st.binary(max_size=20)
    else:
        one = _SCALARS[field.cpp_type]
    if not field.is_repeated:
        return one
    return st.lists(one, min_size=int(depth < _ENVELOPES or field.name in _ALWAYS), max_size=2)


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).extend(value)
    elif field.message_type is not None:
        part = getattr(message, field.name)
        part.SetInParent()
        part.CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _completed(message: Any) -> None:
    """What two fields must be to each other."""
    if isinstance(message, NumberDataPoint) and message.WhichOneof("value") is None:
        message.flags |= 1
    if isinstance(message, HistogramDataPoint) and (message.explicit_bounds or message.bucket_counts):
        missing = len(message.explicit_bounds) + 1 - len(message.bucket_counts)
        message.bucket_counts.extend([3] * max(0, missing))
        del message.bucket_counts[len(message.explicit_bounds) + 1 :]
