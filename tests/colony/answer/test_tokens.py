"""A trace costs a model at most a third of what it costs in Tempo's form."""

from __future__ import annotations

import hashlib

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.answer.told import tokens_of
from colony.answer.trace import tell_trace
from tests.colony.answer.drawn import NOW, span_of, trace_answer
from tests.colony.answer.tempo import tempo_form
from tests.colony.rows import START, at

RESOURCE = {
    "service.name": "shop",
    "service.version": "1.0.0",
    "service.instance.id": "5e7dc779-90bb-4b86-ad48-e8313ee8a6f1",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
}
HTTP = {"http.request.method": "POST", "http.response.status_code": '{"intValue":"502"}', "http.route": "/order"}


def order(spans: int) -> list[api.Span]:
    """Like an order of the demo: each of two services with its resource, requests with attributes, the last span failed."""
    usual = {"resource_attributes": RESOURCE, "scope": api.Scope(name="demo"), "kind": api.SPAN_KIND_SERVER}
    ids = [hashlib.blake2b(bytes([n]), digest_size=8).hexdigest() for n in range(spans)]
    return [
        span_of(
            n,
            (n - 1) // 2 if n else None,
            span_id=ids[n],
            parent_span_id=ids[(n - 1) // 2] if n else "",
            service_name=("shop", "payments")[n % 2],
            attributes=HTTP if n % 2 == 0 else {"http.response.status_code": '{"intValue":"502"}'},
            is_error=n == spans - 1,
            status_code=api.STATUS_CODE_ERROR if n == spans - 1 else 0,
            events=[api.Event(name="bank was slow", time=at(START))] if n == 4 else [],
            **usual,
        )
        for n in range(spans)
    ]


def test_a_trace_takes_at_most_a_third_of_tempos_form():
    for spans in (8, 40):
        answer = trace_answer(order(spans))
        assert answer.asked_ns == NOW
        ours = tell_trace(answer, 6000)
        assert ours.rows == spans
        assert tokens_of(tempo_form(answer.trace)) >= 3 * tokens_of(ours.text)
