"""One span, whole: every attribute, event, link, its resource and scope, as far as the budget goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.answer.told import Facts, Told, head_of, missing_text, room, told
from colony.answer.words import (
    attributes_text,
    counted,
    duration_text,
    fit,
    kind_text,
    offset_text,
    one_line,
    size_of,
    time_text,
)
from colony.question import TraceAnswer
from colony.signals import span_duration_ns, time_ns
from colony.trace.tree import Node

LADDER = ((100_000, 1000), (4000, 400), (1000, 200), (250, 100), (80, 50), (32, 25), (16, 10), (0, 0))
"""Characters a value, attributes a group: the first that fits the budget is taken."""

_LONGEST_EVENTS = 64
_MOST_ALIKE = 3
"""Different spans of one id that are shown."""


def status_text(span: api.Span, longest: int) -> str:
    """``ERROR "message"``, or nothing."""
    if not span.is_error:
        return ""
    return f'ERROR "{one_line(span.status_message, longest)}"' if span.status_message else "ERROR"


def event_texts(span: api.Span, longest: int, most: int) -> Iterator[str]:
    """Each event with its offset from the span's start, exceptions with what they said."""
    for event in span.events[: min(most, 8)]:
        attributes = {key: value for key, value in event.attributes.items() if key != "exception.stacktrace"}
        offset = offset_text(time_ns(event.time) - time_ns(span.start_time))
        yield f"{one_line(event.name, 48)} {offset} {attributes_text(attributes, longest, most)}".strip()
    if len(span.events) > min(most, 8):
        yield f"(+{len(span.events) - min(most, 8)} events)"


def tell_span(answer: TraceAnswer, numbers: Sequence[int], tokens: int) -> Told:
    """The spans of one id; there may be several of the same."""
    trace = answer.trace
    first = trace.nodes[numbers[0]].span
    what = (
        f"span {first.span_id} of trace {trace.trace_id}: {one_line(first.operation_name, 80)} of "
        f"{one_line(first.service_name, 60)}, {duration_text(span_duration_ns(first))}"
    )
    head = head_of(what, missing_text(answer.missing, len(answer.outcomes)), "values are cut to fit")
    facts = Facts(1, 1, missing=answer.missing, notes=("a cut value ends with …(+characters left out)",))
    space = room(head, facts, tokens)
    for form in LADDER:
        lines = [line for number in numbers[:_MOST_ALIKE] for line in _lines(trace.nodes, number, trace.start_ns, *form)]
        if sum(size_of(line) + 1 for line in lines) <= space:
            break
    if len(numbers) <= _MOST_ALIKE and not any("(+" in line for line in lines):
        head = head_of(what, missing_text(answer.missing, len(answer.outcomes)), "")
        facts = Facts(1, 1, missing=answer.missing)
    return told(head, _held(lines, space), facts, 1)


def _held(lines: Sequence[str], space: int) -> list[str]:
    """The lines that fit; the last resort against a span of a thousand events."""
    kept: list[str] = []
    for line in lines:
        if size_of(line) + 1 > space:
            kept.append(fit(line, max(0, space - 1)))
            break
        space -= size_of(line) + 1
        kept.append(line)
    return kept


def _lines(nodes: Sequence[Node], number: int, base_ns: int, longest: int, most: int) -> Iterator[str]:
    node = nodes[number]
    span = node.span
    parent = f"parent {span.parent_span_id}" if span.parent_span_id else "root"
    where = f"{offset_text(node.start_ns - base_ns)} in the trace, {time_text(node.start_ns)}"
    took = f"{duration_text(node.duration_ns)} self={duration_text(node.self_ns)}"
    yield " ".join(filter(None, (kind_text(span.kind) or "internal", parent, where, took, status_text(span, max(80, longest)))))
    yield f"agent {one_line(node.agent, 64)}"
    groups = (
        ("attributes", span.attributes),
        ("resource", span.resource_attributes),
        ("scope attributes", span.scope.attributes),
    )
    for name, attributes in groups:
        if attributes:
            yield f"{name}: {attributes_text(attributes, longest, most)}"
    if span.scope.name:
        yield f"scope: {one_line(span.scope.name, 80)} {one_line(span.scope.version, 40)}".strip()
    yield from _events(span, longest, most)
    yield from _links(span, longest, most)
    for child in node.children[: min(most, 20)]:
        below = nodes[child]
        yield f"child {below.span.span_id} {duration_text(below.duration_ns)} {one_line(below.span.operation_name, 60)}"
    if len(node.children) > min(most, 20):
        yield f"(+{counted(len(node.children) - min(most, 20), 'child', 'children')})"
    dropped = span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count
    if dropped:
        yield f"the sender itself dropped {dropped} attributes, events or links"


def _links(span: api.Span, longest: int, most: int) -> Iterator[str]:
    for link in span.links[:most]:
        yield f"link: trace {link.trace_id} span {link.span_id} {attributes_text(link.attributes, longest, most)}".strip()
    if len(span.links) > most:
        yield f"(+{len(span.links) - most} links)"


def _events(span: api.Span, longest: int, most: int) -> Iterator[str]:
    shown = span.events[: min(most, _LONGEST_EVENTS)]
    for event in shown:
        offset = offset_text(time_ns(event.time) - time_ns(span.start_time))
        yield f"event {offset} {one_line(event.name, 80)} {attributes_text(event.attributes, longest, most)}".strip()
    if len(span.events) > len(shown):
        yield f"(+{counted(len(span.events) - len(shown), 'event')})"
