"""Which parts of which OTLP message are text, and which are attributes: every place a sender may write into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.scrub.wire import varint

NO_MESSAGE = b"\xff"
"""Bytes that no parser of protobuf accepts: half a tag."""


class Leaves(NamedTuple):
    """How to scrub a bare string, the text of a key, and a list of attributes."""

    text: Callable[[str], str]
    key: Callable[[str], str]
    pairs: Callable[[Iterable[KeyValue]], list[KeyValue]]


def event(message: Span.Event, leaves: Leaves) -> None:
    """Name and attributes."""
    message.name = leaves.text(message.name)
    left = leaves.pairs(message.attributes)
    del message.attributes[:]
    message.attributes.extend(left)


def clear_wrong_ids(message: Span.Link | Exemplar) -> None:
    """Clear an id that is no id: any bytes could stand there."""
    if len(message.trace_id) != 16:
        message.ClearField("trace_id")
    if len(message.span_id) != 8:
        message.ClearField("span_id")


def link(message: Span.Link, leaves: Leaves) -> None:
    """Trace state and attributes; ids are random, and what has another length is none."""
    clear_wrong_ids(message)
    message.trace_state = leaves.text(message.trace_state)
    left = leaves.pairs(message.attributes)
    del message.attributes[:]
    message.attributes.extend(left)


def resource(message: Resource, leaves: Leaves) -> None:
    """Attributes; of entity references the schema URL, the type and the keys."""
    left = leaves.pairs(message.attributes)
    del message.attributes[:]
    message.attributes.extend(left)
    for reference in message.entity_refs:
        reference.schema_url = leaves.text(reference.schema_url)
        reference.type = leaves.text(reference.type)
        reference.id_keys[:] = [leaves.key(key) for key in reference.id_keys]
        reference.description_keys[:] = [leaves.key(key) for key in reference.description_keys]


def scope(message: InstrumentationScope, leaves: Leaves) -> None:
    """Name, version and attributes."""
    message.name = leaves.text(message.name)
    message.version = leaves.text(message.version)
    left = leaves.pairs(message.attributes)
    del message.attributes[:]
    message.attributes.extend(left)


def exemplar(message: Exemplar, leaves: Leaves) -> None:
    """The attributes that the view filtered out; ids are random, and what has another length is none."""
    clear_wrong_ids(message)
    left = leaves.pairs(message.filtered_attributes)
    del message.filtered_attributes[:]
    message.filtered_attributes.extend(left)


def are_known(wires: Sequence[bytes], holder: type[Message], tag: bytes) -> bool:
    """Whether all of these messages can be read, and none has a field that OTLP does not define.

    ``holder`` has them in the repeated field of this tag: parsed together they cost an eighth.
    """
    joined = b"".join([part for wire in wires for part in (tag, varint(len(wire)), wire)])
    try:
        message = holder.FromString(joined)
    except DecodeError:
        return False
    message.DiscardUnknownFields()
    return bool(message.SerializeToString() == joined)
