"""A small Tempo: keeps spans, and answers its tools in the shapes that the real one was seen to use."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.signals import span_duration_ns, time_ns
from tests.colony.upstream.goish import NEW, Generation, GoServer
from tests.colony.upstream.servers import Restartable

_TOOLS = ("traceql-search", "traceql-metrics-instant", "traceql-metrics-range", "get-trace", "get-attribute-names")
_SEVEN = (*_TOOLS, "get-attribute-values", "docs-traceql")
_STRING = {"type": "string"}


def _schema(required: tuple[str, ...], *optional: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys((*required, *optional), _STRING), "required": list(required)}


_SCHEMAS = {
    "traceql-search": _schema(("query",), "start", "end"),
    "traceql-metrics-instant": _schema(("query",), "start", "end"),
    "traceql-metrics-range": _schema(("query",), "start", "end"),
    "get-trace": _schema(("trace_id",)),
    "get-attribute-names": _schema((), "scope"),
    "get-attribute-values": _schema(("name",), "filter-query"),
    "docs-traceql": _schema(("name",)),
    "docs-config": _schema(("name",)),
    "trace-diff": _schema(("base_trace_id", "compare_trace_id"), "format"),
}


@dataclass
class SmallTempo:
    """Spans by trace; ``asked`` are the calls of its tools; ``answers`` says a tool's text instead."""

    spans: list[api.Span] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def server(self, generation: Generation = NEW, tools: int = 9, **fields: Any) -> GoServer:
        names = (*_SEVEN, "docs-config", "trace-diff")[:tools]
        return GoServer(generation, {name: (f"Tempo's {name}", _SCHEMAS[name], self._tool(name)) for name in names}, **fields)

    def _tool(self, name: str) -> Any:
        async def answer(arguments: dict[str, Any]) -> tuple[str, bool, dict[str, Any]]:
            self.asked.append((name, arguments))
            if name in self.answers:
                text, is_error = self.answers[name]
                return text, is_error, {}
            text = getattr(self, "_" + name.replace("-", "_"))(arguments)
            return text, False, {"type": name, "encoding": "json", "version": "1"}

        return answer

    def _traceql_search(self, arguments: dict[str, Any]) -> str:
        """Of the query only what is certain to be in every one of ours is looked at: the service, and errors."""
        query = arguments["query"]
        service = re.search(r'resource\.service\.name = "([^"]*)"', query)
        kept = [span for span in self.spans if not service or span.service_name == service.group(1)]
        kept = [span for span in kept if span.is_error or "status = error" not in query]
        by_trace: dict[str, list[api.Span]] = defaultdict(list)
        for span in kept:
            by_trace[span.trace_id].append(span)
        traces = [self._found(trace_id, spans) for trace_id, spans in list(by_trace.items())[:20]]
        return json.dumps({"traces": traces, "metrics": {"inspectedBytes": "123"}})

    def _found(self, trace_id: str, spans: list[api.Span]) -> dict[str, Any]:
        matched = {"spans": [_searched(span) for span in spans[:3]], "matched": len(spans)}
        return {
            "traceID": trace_id.lstrip("0"),
            "rootServiceName": spans[0].service_name,
            "rootTraceName": spans[0].operation_name,
            "startTimeUnixNano": str(time_ns(spans[0].start_time)),
            "durationMs": span_duration_ns(spans[0]) // 1_000_000,
            "spanSet": matched,
            "spanSets": [matched],
        }

    def _get_trace(self, arguments: dict[str, Any]) -> str:
        spans = [span for span in self.spans if span.trace_id == arguments["trace_id"]]
        if not spans:
            return "{}"
        services: dict[str, list[api.Span]] = defaultdict(list)
        for span in spans:
            services[span.service_name].append(span)
        told = [
            {
                "serviceName": name,
                "resource": {"service.name": name},
                "scopes": [{"name": "", "spans": [_for_models(s) for s in each]}],
            }
            for name, each in services.items()
        ]
        trace = {"traceId": spans[0].trace_id, "services": told}
        return json.dumps({"trace": trace, "metrics": {}, "status": "COMPLETE"})

    def _traceql_metrics_range(self, _: dict[str, Any]) -> str:
        samples = [
            {"timestampMs": str(1_790_000_000_000 + n * 15_000), **({"value": 2.5} if n == 3 else {})} for n in range(240)
        ]
        label = {"key": "resource.service.name", "value": {"stringValue": "shop"}}
        return json.dumps({"series": [{"labels": [label], "samples": samples}], "metrics": {}})

    def _traceql_metrics_instant(self, _: dict[str, Any]) -> str:
        return json.dumps({"metrics": {}})

    def _get_attribute_names(self, _: dict[str, Any]) -> str:
        return json.dumps({"scopes": [{"name": "span", "tags": ["http.route"]}], "metrics": {}})

    def _get_attribute_values(self, _: dict[str, Any]) -> str:
        return json.dumps({"tagValues": {"string": ["/a", "/b"], "int": [200]}, "metrics": {}})

    def _docs_traceql(self, _: dict[str, Any]) -> str:
        return "# TraceQL\n\nHow to ask."


def _searched(span: api.Span) -> dict[str, Any]:
    said = {
        "name": span.operation_name,
        "status": "error" if span.is_error else "unset",
        "statusMessage": span.status_message,
        "resource.service.name": span.service_name,
    }
    return {
        "spanID": span.span_id,
        "startTimeUnixNano": str(time_ns(span.start_time)),
        "durationNanos": str(span_duration_ns(span)),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()],
    }


def _for_models(span: api.Span) -> dict[str, Any]:
    return {
        "spanId": span.span_id,
        "name": span.operation_name,
        "parentSpanId": span.parent_span_id,
        "kind": api.SpanKind.Name(span.kind),
        "startTimeUnixNano": str(time_ns(span.start_time)),
        "endTimeUnixNano": str(time_ns(span.start_time) + span_duration_ns(span)),
        "durationMs": span_duration_ns(span) / 1e6,
        "attributes": {**dict(span.attributes), "retries": 3},
        "status": {"code": "STATUS_CODE_ERROR", "message": span.status_message} if span.is_error else {},
    }


@asynccontextmanager
async def tempo_at(server: GoServer) -> AsyncIterator[Restartable]:
    """The server on a port of its own; its URL is the base."""
    here = Restartable(lambda: (server, None))
    await here.start()
    try:
        yield here
    finally:
        server.closing.set()
        await here.stop()


def base(here: Restartable) -> str:
    return here.url.removesuffix("/mcp")
