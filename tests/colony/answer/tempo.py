"""The same trace in the form that Grafana Tempo's get-trace gives to models, to count tokens: ``python -m tests.colony.answer.tempo``.

Written from the form's description: services with their resource, scopes, and spans with flat attributes, times in nanoseconds
as text, a duration in milliseconds, events, status. The module asks the colony that the environment configures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.answer.told import tokens_of
from colony.answer.trace import tell_trace
from colony.answer.words import plain
from colony.question import Question
from colony.signals import SPANS, time_ns
from colony.trace.whole import SETTLING_NS, Trace

_STATUS = {api.STATUS_CODE_ERROR: "STATUS_CODE_ERROR", api.STATUS_CODE_OK: "STATUS_CODE_OK"}


def _flat(attributes: Any) -> dict[str, Any]:
    return {key: plain(value) for key, value in sorted(attributes.items())}


def _span(span: api.Span) -> dict[str, Any]:
    start, end = time_ns(span.start_time), time_ns(span.end_time)
    found: dict[str, Any] = {
        "spanId": span.span_id,
        "name": span.operation_name,
        **({"parentSpanId": span.parent_span_id} if span.parent_span_id else {}),
        "kind": api.SpanKind.Name(span.kind),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "durationMs": (end - start) / 1e6,
        "attributes": _flat(span.attributes),
    }
    if span.events:
        found["events"] = [
            {"name": event.name, "timeUnixNano": str(time_ns(event.time)), "attributes": _flat(event.attributes)}
            for event in span.events
        ]
    if span.status_code in _STATUS:
        found["status"] = {"code": _STATUS[span.status_code], "message": span.status_message}
    return found


def tempo_form(trace: Trace) -> str:
    """The trace as compact JSON in that form."""
    services: dict[str, dict[tuple[str, str], list[api.Span]]] = defaultdict(lambda: defaultdict(list))
    for node in trace.nodes:
        services[node.span.service_name][node.span.scope.name, node.span.scope.version].append(node.span)
    told = []
    for name, scopes in services.items():
        first = next(iter(scopes.values()))[0]
        parts = [
            {"name": scope, "version": version, "spans": list(map(_span, spans))} for (scope, version), spans in scopes.items()
        ]
        told.append({"serviceName": name, "resource": _flat(first.resource_attributes), "scopes": parts})
    whole = {"trace": {"traceId": trace.trace_id, "services": told}, "metrics": {}, "status": "COMPLETE"}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)


async def main() -> None:
    """A row for each of five traces: spans, tokens in either form, and their ratio."""
    from colony.app import opened
    from colony.config.model import Config

    async with opened(Config.load(None, os.environ), keeps_summaries=False) as rooms:
        await rooms.desk.registry.poll()
        request = api.QuerySpansRequest(kind=api.SPAN_KIND_SERVER, service_name=sys.argv[1])
        found = (await rooms.desk.find(Question(SPANS, request, None, 200))).answer.rows
        settled = [sent for sent in found if time_ns(sent.row.end_time) < rooms.clock.now_ns() - SETTLING_NS]
        rows = sorted(settled, key=lambda sent: (-sent.row.is_error, -sent.row.duration_us))
        for sent in [*rows[:2], *rows[len(rows) // 2 : len(rows) // 2 + 2], rows[-1]]:
            answer = await rooms.desk.trace(sent.row.trace_id)
            ours, theirs = tokens_of(tell_trace(answer, 6000).text), tokens_of(tempo_form(answer.trace))
            sys.stdout.write(
                f"| {len(answer.trace.nodes)} | {sum(n.span.is_error for n in answer.trace.nodes)} | {ours:,} | {theirs:,} | {ours / theirs:.0%} |\n"
            )


if __name__ == "__main__":
    asyncio.run(main())
