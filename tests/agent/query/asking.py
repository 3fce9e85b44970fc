"""Plans and answers over a small store: for the tests of the way out."""

from __future__ import annotations

from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.batch import Export, Signal
from agent.clock import MINUTE_NS
from agent.decode.spans import span_decoder
from agent.query import encode
from agent.query.page import Window
from agent.query.plan import Limits, Plan, Planner
from agent.query.search import Found, Search
from agent.query.spans import SPANS
from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.store.segment import Bounds
from agent.store.statement import Source
from agent.store.store import Store
from tests.agent.store.keeping import NO_REQUESTS, reading
from tests.telemetry import START, request

NOW = START + MINUTE_NS
LIMITS = Limits(5 * MINUTE_NS, 1000, 4 << 20)
DEFAULT = Scrubber(ScrubSettings(), b"k" * 32)
OFF = Scrubber(ScrubSettings("off"), b"k" * 32)
SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}

IN_FILE = Source("s_1_2_a.spans", "1_2_a", 77, Bounds(1, START, START, 0))
IN_MEMORY = Source("tail_0", "1_2_a", None, Bounds(1, START, START, 0))


def planner(*own: str, scrubber: Scrubber = DEFAULT, limits: Limits = LIMITS) -> Planner:
    return Planner(limits, OwnServices.of(own), dict.fromkeys(Signal, scrubber))


def plan(*own: str, scrubber: Scrubber = DEFAULT, **fields: Any) -> Plan:
    """The plan of a request with these fields."""
    return planner(*own, scrubber=scrubber).spans(api.QuerySpansRequest(**fields), NOW)


def keep(store: Store, *spans: Span, sent: ExportTraceServiceRequest | None = None) -> None:
    """Decode one request and append it."""
    payload = (sent or request(*spans)).SerializeToString()
    decoded = span_decoder(lambda _: True).decode([Export(Signal.TRACES, payload, len(spans))], NOW)
    assert decoded.batch is not None
    store.append([decoded.batch], NO_REQUESTS)


def find(store: Store, wanted: Plan, scrubber: Scrubber = DEFAULT) -> Found:
    """What a search finds now."""
    with reading(store) as one:
        return Search(wanted, SPANS, one, scrubber).run()


def answer(
    store: Store, *own: str, max_bytes: int = 4 << 20, scrubber: Scrubber = DEFAULT, **fields: Any
) -> api.QuerySpansResponse:
    """The response to a request with these fields."""
    wanted = plan(*own, scrubber=scrubber, **fields)
    found = find(store, wanted, scrubber)
    page = encode.cut(wanted, SPANS, found, max_bytes)
    return api.QuerySpansResponse.FromString(encode.reply(api.QuerySpansResponse(), wanted, found, page))


EVERYTHING = Window(None, None)
