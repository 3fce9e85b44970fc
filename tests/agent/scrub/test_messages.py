"""A secret planted in any place of any message does not leave; nor does what the schema does not know."""

import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.agent.scrub.planted import SECRET, any_value, pair, wire

SHAPES = [SECRET, [SECRET], {"a": {"b": {"c": [SECRET]}}}, SECRET.encode(), f'{{"x":"{SECRET}"}}', f"at {SECRET}\u200b!"]
PAIRS = [*(pair("note", shape) for shape in SHAPES), pair(SECRET, "x"), pair("a", {SECRET: 1})]
URL = f"https://{SECRET}/s?token={SECRET}"
REFERENCE = EntityRef(schema_url=URL, type=SECRET, id_keys=[SECRET], description_keys=["k", SECRET])
PLANTED = {
    "event": Span.Event(time_unix_nano=5, name=SECRET, attributes=PAIRS, dropped_attributes_count=2),
    "link": Span.Link(trace_id=b"t" * 16, span_id=b"s" * 8, trace_state=f"a={SECRET}", attributes=PAIRS, flags=1),
    "resource": Resource(attributes=PAIRS, entity_refs=[REFERENCE], dropped_attributes_count=1),
    "scope": InstrumentationScope(name=SECRET, version=SECRET, attributes=PAIRS),
    "exemplar": Exemplar(time_unix_nano=3, as_int=4, filtered_attributes=PAIRS),
    "value": any_value([*SHAPES, {"k": SECRET}]),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_secret_does_not_leave(place):
    scrubber = Scrubber(ScrubSettings(), b"k")
    message = PLANTED[place]
    cleaned = getattr(scrubber, place)(message.SerializeToString())
    assert SECRET.encode() in message.SerializeToString()
    assert b"planted" not in cleaned
    assert b"[REDACTED:email]" in cleaned
    assert cleaned == getattr(scrubber, place)(cleaned)
    assert scrubber.take_tally()[("email", "mask")] >= 6


def test_what_is_no_text_stays():
    scrubber = Scrubber(ScrubSettings(), b"k")
    event = Span.Event.FromString(scrubber.event(PLANTED["event"].SerializeToString()))
    assert (5, 2, len(PAIRS)) == (event.time_unix_nano, event.dropped_attributes_count, len(event.attributes))
    link = Span.Link.FromString(scrubber.link(PLANTED["link"].SerializeToString()))
    assert (link.trace_id, link.span_id, link.flags) == (b"t" * 16, b"s" * 8, 1)


@pytest.mark.parametrize("place", PLANTED)
def test_clean_messages_are_the_identical_object(place):
    clean = {
        "event": Span.Event(name="e", attributes=[pair("a", 1)]),
        "link": Span.Link(attributes=[pair("a", "b")]),
        "resource": Resource(attributes=[pair("service.name", "shop")]),
        "scope": InstrumentationScope(name="n", version="1.0"),
        "exemplar": Exemplar(filtered_attributes=[pair("a", 1.5)]),
        "value": AnyValue(string_value="started"),
    }[place].SerializeToString()
    scrubber = Scrubber(ScrubSettings(), b"k")
    assert clean is getattr(scrubber, place)(clean)
    off = Scrubber(ScrubSettings("off"), b"k")
    raw = PLANTED[place].SerializeToString()
    assert raw is getattr(off, place)(raw)


@pytest.mark.parametrize("place", PLANTED)
def test_unreadable_and_unknown_bytes_do_not_leave(place):
    scrubber = Scrubber(ScrubSettings(), b"k")
    scrub = getattr(scrubber, place)
    assert b"secret" not in scrub(b"\xffsecret")
    assert scrubber.take_tally() == {("unreadable", "mask"): 1}
    unknown = b"\xfa\x3e\x06secret"  # field 1007, a string
    assert scrub(unknown) == b""


def test_an_attribute_that_a_message_drops_is_gone():
    scrubber = Scrubber(ScrubSettings(), b"k")
    event = Span.Event(attributes=[pair("http.request.header.cookie", "x"), pair("a", 1)]).SerializeToString()
    assert [wire("a", 1)] == [x.SerializeToString() for x in Span.Event.FromString(scrubber.event(event)).attributes]


def test_events_together_leave_as_each_does():
    scrubber = Scrubber(ScrubSettings(), b"k")
    clean = Span.Event(name="retry", attributes=[pair("attempt", 1)]).SerializeToString()
    unknown = clean + b"\xfa\x07\x03abc"
    dirty = PLANTED["event"].SerializeToString()
    lists = [[clean, dirty], [], [dirty, clean], [clean]]
    left = scrubber.event_lists(lists)
    assert [[scrubber.event(wire) for wire in row] for row in lists] == list(left)
    assert SECRET.encode() not in b"".join(left[0])
    assert scrubber.changed_events(pa.array([clean, clean])) == {}
    assert scrubber.changed_events(pa.array([clean, unknown, b"\xff"])) == {1: clean, 2: scrubber.event(b"\xff")}
