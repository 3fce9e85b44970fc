"""Pure: Tempo's answers as the colony's own values. Whatever is missing, omitted or of another type is read as it is meant.

Ids without their leading zeros, or in base64; 64-bit numbers as texts; a zero that is left out; ``series`` that is not there;
``{}`` for a trace that is not there; the form for models, and OTLP's own in three spellings.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from colony.clock import SECOND_NS

_HEX = re.compile(r"[0-9a-fA-F]+")
_LATEST_NS = 253_402_300_799 * SECOND_NS
UNKNOWN_SERVICE = "unknown_service"


@dataclass(frozen=True, slots=True)
class FoundTrace:
    """A trace of a search; ``spans`` are some of the ``matched`` ones."""

    trace_id: str
    root_service: str
    root_name: str
    start_ns: int
    duration_ns: int
    matched: int
    spans: tuple[api.Span, ...] = ()


@dataclass(frozen=True, slots=True)
class WholeTrace:
    """Every span that Tempo has of a trace; ``is_partial`` when it says that there are more."""

    spans: tuple[api.Span, ...]
    is_partial: bool = False
    message: str = ""


def hex_id(value: Any, digits: int) -> str:  # noqa: ANN401 JSON
    """An id as ``digits`` lower-case hexadecimal digits; empty for what is none."""
    text = value if isinstance(value, str) else ""
    if _HEX.fullmatch(text) and len(text) <= digits:
        return text.lower().rjust(digits, "0")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex().rjust(digits, "0") if 0 < len(raw) * 2 <= digits else ""


def whole(value: Any) -> int:  # noqa: ANN401 JSON
    """A 64-bit number, which JSON has as a text; nothing, and what is no number, is 0."""
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def table(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 JSON
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:  # noqa: ANN401 JSON
    """A list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def tables(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 JSON
    """The objects of a list."""
    return [each for each in listed(value) if isinstance(each, dict)]


def _first(holder: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 JSON
    return next((holder[name] for name in names if holder.get(name) is not None), None)


def flat(value: Any) -> str:  # noqa: ANN401 JSON
    """A value as the colony's spans have it: strings bare, anything else as OTLP's JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(_any_value(value), separators=(",", ":"), ensure_ascii=False)


_SIMPLE = {bool: "boolValue", float: "doubleValue", str: "stringValue"}


def _any_value(value: Any) -> dict[str, Any]:  # noqa: ANN401 JSON
    if type(value) in _SIMPLE:
        return {_SIMPLE[type(value)]: value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(each) for each in value]}}
    if isinstance(value, dict):
        pairs = [{"key": str(key), "value": _any_value(each)} for key, each in value.items()]
        return {"kvlistValue": {"values": pairs}}
    return {}


def attributes(value: Any) -> dict[str, str]:  # noqa: ANN401 JSON
    """Attributes, a flat object or OTLP's list of keys and values."""
    if isinstance(value, dict):
        return {str(key): flat(each) for key, each in value.items()}
    found: dict[str, str] = {}
    for pair in tables(value):
        content = table(pair.get("value"))
        text = content.get("stringValue")
        said = text if isinstance(text, str) else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        found.setdefault(str(pair.get("key", "")), said)
    return found


def time_of(time_ns: int) -> Timestamp:
    """A moment; what no calendar holds becomes its first or last."""
    bounded = min(max(time_ns, 0), _LATEST_NS)
    return Timestamp(seconds=bounded // SECOND_NS, nanos=bounded % SECOND_NS)


def found_traces(document: Any) -> list[FoundTrace]:  # noqa: ANN401 JSON
    """What a search found."""
    return [_found(trace) for trace in tables(table(document).get("traces")) if hex_id(trace.get("traceID"), 32)]


def _found(trace: Mapping[str, Any]) -> FoundTrace:
    trace_id = hex_id(trace.get("traceID"), 32)
    sets = tables(trace.get("spanSets")) or tables([trace.get("spanSet")])
    service = str(trace.get("rootServiceName", ""))
    spans = {span.span_id: span for found in sets for span in _spans_of_set(found, trace_id)}
    return FoundTrace(
        trace_id,
        service,
        str(trace.get("rootTraceName", "")),
        whole(trace.get("startTimeUnixNano")),
        whole(trace.get("durationMs")) * 1_000_000,
        sum(whole(found.get("matched")) for found in sets),
        tuple(spans.values()),
    )


_INTRINSIC = ("name", "kind", "status", "statusMessage", "service.name", "span:parentID", "resource.service.name")


def _spans_of_set(found: Mapping[str, Any], trace_id: str) -> Iterator[api.Span]:
    for each in tables(found.get("spans")):
        said = attributes(each.get("attributes"))
        fields = {
            "spanId": each.get("spanID"),
            "name": each.get("name") or said.get("name", ""),
            "parentSpanId": said.get("span:parentID", ""),
            "kind": said.get("kind", ""),
            "startTimeUnixNano": each.get("startTimeUnixNano"),
            "endTimeUnixNano": whole(each.get("startTimeUnixNano")) + whole(each.get("durationNanos")),
            "attributes": {key: value for key, value in said.items() if key not in _INTRINSIC},
            "status": {"code": said.get("status", ""), "message": said.get("statusMessage", "")},
        }
        service = said.get("resource.service.name") or said.get("service.name") or UNKNOWN_SERVICE
        span = span_of(fields, trace_id, {"service.name": service})
        if span is not None:
            yield span


def whole_trace(document: Any) -> WholeTrace | None:  # noqa: ANN401 JSON
    """A trace in any of Tempo's forms; None when there is none."""
    answer = table(document)
    trace = table(answer.get("trace")) or answer
    trace_id = hex_id(trace.get("traceId"), 32)
    spans = [*_of_services(trace, trace_id), *_of_resources(trace)]
    if not spans:
        return None
    return WholeTrace(tuple(spans), answer.get("status") == "PARTIAL", str(answer.get("message") or ""))


def _of_services(trace: Mapping[str, Any], trace_id: str) -> Iterator[api.Span]:
    """The form for models: attributes are flat objects."""
    for service in tables(trace.get("services")):
        resource = attributes(service.get("resource"))
        resource.setdefault("service.name", str(service.get("serviceName") or UNKNOWN_SERVICE))
        for scope in tables(service.get("scopes")):
            for each in tables(scope.get("spans")):
                span = span_of(each, trace_id, resource, scope)
                if span is not None:
                    yield span


def _of_resources(trace: Mapping[str, Any]) -> Iterator[api.Span]:
    """OTLP's form, as Tempo's two HTTP addresses write it."""
    for block in tables(_first(trace, "resourceSpans", "batches")):
        resource = attributes(table(block.get("resource")).get("attributes"))
        for holder in tables(_first(block, "scopeSpans", "instrumentationLibrarySpans")):
            for each in tables(holder.get("spans")):
                span = span_of(each, "", resource, table(holder.get("scope")))
                if span is not None:
                    yield span


def span_of(
    each: Mapping[str, Any], trace_id: str, resource: Mapping[str, str], scope: Mapping[str, Any] | None = None
) -> api.Span | None:
    """One span; None without an id."""
    span_id = hex_id(_first(each, "spanId", "spanID"), 16)
    trace_id = trace_id or hex_id(each.get("traceId"), 32)
    if not span_id or not trace_id:
        return None
    start, end = whole(each.get("startTimeUnixNano")), whole(each.get("endTimeUnixNano"))
    status = table(each.get("status"))
    code = _named(api.StatusCode, "STATUS_CODE_", status.get("code"))
    span = api.Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=hex_id(each.get("parentSpanId"), 16),
        service_name=resource.get("service.name") or UNKNOWN_SERVICE,
        operation_name=str(each.get("name") or ""),
        start_time=time_of(start),
        end_time=time_of(end),
        duration_us=max(0, end - start) // 1000,
        kind=_named(api.SpanKind, "SPAN_KIND_", each.get("kind")),
        status_code=code,
        status_message=str(status.get("message") or ""),
        is_error=code == api.STATUS_CODE_ERROR,
        attributes=attributes(each.get("attributes")),
        resource_attributes=dict(resource),
        scope=_scope(scope or {}),
    )
    span.events.extend(_events(tables(each.get("events"))))
    span.links.extend(_links(tables(each.get("links"))))
    return span


def _scope(scope: Mapping[str, Any]) -> api.Scope:
    return api.Scope(name=str(scope.get("name") or ""), version=str(scope.get("version") or ""))


def _events(events: Sequence[Mapping[str, Any]]) -> Iterator[api.Event]:
    for each in events:
        time = time_of(whole(each.get("timeUnixNano")))
        yield api.Event(name=str(each.get("name") or ""), time=time, attributes=attributes(each.get("attributes")))


def _links(links: Sequence[Mapping[str, Any]]) -> Iterator[api.Link]:
    for each in links:
        ids = hex_id(each.get("traceId"), 32), hex_id(_first(each, "spanId", "spanID"), 16)
        if all(ids):
            yield api.Link(trace_id=ids[0], span_id=ids[1], attributes=attributes(each.get("attributes")))


def _named(enum: Any, prefix: str, value: Any) -> Any:  # noqa: ANN401 an enum of protobuf
    """A value of an enum, by number, by OTLP's name, or by TraceQL's word."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value in enum.values() else 0
    word = str(value or "").upper()
    name = word if word.startswith(prefix) else prefix + word
    return enum.Value(name) if name in enum.keys() else 0  # noqa: SIM118 not a mapping
