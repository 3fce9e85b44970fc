"""Spans older than what agents keep, from a Tempo: a trace, or spans by what agents are asked by. Failures are outcomes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.merge import Sent
from colony.outcome import Outcome, Result, one_line
from colony.question import Portion
from colony.signals import span_duration_ns, time_ns
from colony.upstream import traceql
from colony.upstream.faults import NotFound, UpstreamError
from colony.upstream.tempo import TempoClient

SOURCE = "upstream/"
"""What stands before the name of an upstream where the name of an agent is shown."""

_FEW = "Tempo tells of a search at most 20 traces with 3 spans each, without attributes: there may be more"


class History:
    """A Tempo as one more place where spans are."""

    def __init__(self, tempo: TempoClient) -> None:
        self._tempo = tempo
        self.source = SOURCE + tempo.name

    async def trace(self, trace_id: str, timeout_seconds: float) -> Portion:
        """Its spans of a trace; none when it has no such trace."""
        began = time.monotonic()
        try:
            found = await self._tempo.get_trace(trace_id, timeout_seconds)
        except NotFound:
            return self._portion((), began)
        except UpstreamError as error:
            return self._failed(error, began)
        rows = [span for span in found.spans if span.trace_id == trace_id]
        notes = [f"{self.source} says that its trace is partial: {one_line(found.message)}"] if found.is_partial else []
        return self._portion(rows, began, notes, is_cut=found.is_partial)

    async def spans(
        self, request: api.QuerySpansRequest, start_ns: int | None, end_ns: int | None, limit: int, timeout_seconds: float
    ) -> Portion:
        """Its spans that match a request, ordered as it asks; start and end are bounds of the spans' starts."""
        if request.trace_id:
            portion = await self.trace(request.trace_id, timeout_seconds)
            rows = [sent.row for sent in portion.rows if _matches(sent.row, request)]
            return self._ordered(portion, rows, request.order, limit)
        began = time.monotonic()
        query = traceql.search(_wanted(request), newest=request.order != api.ORDER_OLDEST)
        try:
            traces = await self._tempo.search(query, start_ns, end_ns, timeout_seconds)
        except UpstreamError as error:
            return self._failed(error, began)
        rows = [span for trace in traces for span in trace.spans if _starts_within(span, start_ns, end_ns)]
        return self._ordered(self._portion(rows, began, [_FEW] if rows else []), rows, request.order, limit)

    def _ordered(self, portion: Portion, rows: Iterable[api.Span], order: int, limit: int) -> Portion:
        if order == api.ORDER_SLOWEST:
            ordered = sorted(rows, key=lambda span: -span_duration_ns(span))
        else:
            ordered = sorted(rows, key=lambda span: time_ns(span.start_time), reverse=order != api.ORDER_OLDEST)
        sent = tuple(Sent(self.source, span) for span in ordered[:limit])
        return Portion(sent, portion.outcome, portion.is_cut, portion.notes)

    def _portion(self, rows: Iterable[api.Span], began: float, notes: Iterable[str] = (), *, is_cut: bool = False) -> Portion:
        sent = tuple(Sent(self.source, span) for span in rows)
        outcome = Outcome(self.source, Result.ANSWERED, rows=len(sent), seconds=time.monotonic() - began)
        return Portion(sent, outcome, is_cut, tuple(notes))

    def _failed(self, error: UpstreamError, began: float) -> Portion:
        reason = error.message.removeprefix(f"{self._tempo.name}: ")
        return Portion((), Outcome(self.source, error.result, reason, seconds=time.monotonic() - began))


def _wanted(request: api.QuerySpansRequest) -> traceql.Spans:
    return traceql.Spans(
        service=request.service_name,
        operation=request.operation_name,
        least_ns=request.min_duration_ms * 1_000_000,
        errors_only=request.errors_only,
        attributes={each.key: each.value for each in request.attributes},
    )


def _starts_within(span: api.Span, start_ns: int | None, end_ns: int | None) -> bool:
    """Tempo's window is in seconds, and of whole traces."""
    at = time_ns(span.start_time)
    return (start_ns is None or at >= start_ns) and (end_ns is None or at < end_ns)


def _matches(span: api.Span, request: api.QuerySpansRequest) -> bool:
    """What an agent would have looked at; attributes of the span, else of its resource."""
    attributes = {**span.resource_attributes, **span.attributes}
    return (
        request.service_name in ("", span.service_name)
        and request.operation_name in ("", span.operation_name)
        and span_duration_ns(span) >= request.min_duration_ms * 1_000_000
        and (span.is_error or not request.errors_only)
        and all(_bare(attributes.get(each.key, "")) == each.value for each in request.attributes)
    )


def _bare(value: str) -> str:
    """A typed value as agents compare it: ``5`` of ``{"intValue":"5"}``."""
    inner = value.removesuffix("}").partition(":")[2].strip('"') if value.startswith('{"') and value.count(":") == 1 else ""
    return inner or value
