"""Span events written together are what protobuf would make of each; one that cannot be read says so alone."""

from __future__ import annotations

from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent import values
from agent.query.events import event_fields
from tests.telemetry import attributes

CUT = Span.Event(name="cut short").SerializeToString()[:-1]

texts = st.text(max_size=200)
pairs = st.dictionaries(texts, st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats()), max_size=4)
events = st.builds(
    lambda time, name, said, dropped: Span.Event(
        time_unix_nano=time, name=name, attributes=attributes(said), dropped_attributes_count=dropped
    ).SerializeToString(),
    st.integers(0, 2**64 - 1),
    texts,
    pairs,
    st.integers(0, 2**32 - 1),
)


def one_by_one(wire: bytes) -> api.Event:
    """The flat event by protobuf's own setters."""
    try:
        event = Span.Event.FromString(wire)
    except DecodeError:
        return api.Event(name=values.UNREADABLE)
    shown = api.Event(
        name=event.name,
        attributes=values.flat(event.attributes),
        dropped_attributes_count=event.dropped_attributes_count,
    )
    shown.time.FromNanoseconds(min(event.time_unix_nano, 2**63 - 1))
    return shown


def shown(lists: Sequence[Sequence[bytes]]) -> list[list[api.Event]]:
    return [list(api.Span.FromString(fields).events) for fields in event_fields(lists).to_pylist()]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(events, max_size=3), max_size=4))
def test_events_shown_together_are_what_each_is_by_itself(lists):
    assert [[one_by_one(wire) for wire in row] for row in lists] == shown(lists)


def test_an_event_that_cannot_be_read_does_not_cost_its_neighbours():
    good = Span.Event(name="good", time_unix_nano=5).SerializeToString()
    bad_text = Span.Event(name="name").SerializeToString().replace(b"name", b"n\xffme")
    expected = [
        [one_by_one(good), api.Event(name=values.UNREADABLE)],
        [],
        [one_by_one(good), api.Event(name=values.UNREADABLE)],
    ]
    assert expected == shown([[good, CUT], [], [good, bad_text]])


def test_no_events_are_no_bytes():
    assert event_fields([[], ()]).to_pylist() == [b"", b""]
