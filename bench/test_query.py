"""Queries over a store that this bench makes: planned, read, scrubbed and encoded as the servicer does, without gRPC."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from prometheus_client import CollectorRegistry
from pytest_benchmark.fixture import BenchmarkFixture

from agent.batch import Export, Signal
from agent.clock import MINUTE_NS, SystemClock
from agent.instruments import Instruments
from agent.query import encode
from agent.query.kept import inventory
from agent.query.plan import Limits, Plan, Planner
from agent.query.search import Search
from agent.query.spans import SPANS
from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.store.flusher import Flusher
from agent.store.grounds import StoreSettings
from agent.store.opening import open_store
from agent.store.reader import Reading
from agent.store.store import Store
from bench.decoding import decode, rows_of_requests
from bench.shapes import SHAPES, Requests
from bench.sheet import SERVICES

ROWS = 491_520
"""Sixteen whole row groups in four segments; a few of the newest rows stay in memory."""

SPREAD_NS = 4 * MINUTE_NS
GROUP = 8
SEGMENTS = 4
Result = TypeVar("Result")
SCRUBBERS = {signal: Scrubber(ScrubSettings(), b"0" * 32) for signal in Signal}
LIMITS = Limits(default_window_ns=5 * MINUTE_NS, max_limit=1000, max_reply_bytes=4 << 20)


@dataclass
class Asked:
    """A filled store and the way to ask it."""

    store: Store
    trace_id: str
    shape: str

    def answer(self, **fields: Any) -> api.QuerySpansResponse:  # noqa: ANN401 whatever the request has
        plan = Planner(LIMITS, OwnServices.of(()), SCRUBBERS).spans(api.QuerySpansRequest(**fields), SystemClock().now_ns())
        return api.QuerySpansResponse.FromString(self.read(lambda reading: self._page(plan, reading)))

    def _page(self, plan: Plan, reading: Reading) -> bytes:
        found = Search(plan, SPANS, reading, SCRUBBERS[plan.signal]).run()
        page = encode.cut(plan, SPANS, found, LIMITS.max_reply_bytes)
        return encode.reply(api.QuerySpansResponse(), plan, found, page)

    def read(self, work: Callable[[Reading], Result]) -> Result:
        reading = Reading(self.store, self.store.connection.cursor())
        try:
            return work(reading)
        finally:
            reading.close()


@pytest.fixture(scope="module", params=SHAPES)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    directory = tmp_path_factory.mktemp("query")
    rows = ROWS if request.param == "usual" else ROWS // 4
    settings = StoreSettings(directory, 60 * MINUTE_NS, 60 * MINUTE_NS, max_bytes=64 << 30, memory_limit_bytes=256 << 20)
    clock = SystemClock()
    with open_store(settings, clock, Instruments(CollectorRegistry())) as (store, _):
        flusher = Flusher(store)
        trace_id = fill(store, flusher, request.param, rows)
        yield Asked(store, trace_id, request.param)
        flusher.drain()


def fill(store: Store, flusher: Flusher, shape: str, rows: int) -> str:
    """Spans of the last four minutes; returns the id of a trace in the middle."""
    first, count = SystemClock().now_ns() - SPREAD_NS, rows // 512
    made = Requests("traces", shape, 13).at(first + k * SPREAD_NS // count for k in range(count))
    traces = []
    for turn in range(count // GROUP):
        group = list(itertools.islice(made, GROUP))
        exports = [Export(Signal.TRACES, payload, 512) for payload, _ in group]
        batch = decode(exports).batch
        assert batch is not None
        store.append([batch], rows_of_requests(exports))
        traces.append(group[0][1].hex())
        if (turn + 2) * SEGMENTS % (count // GROUP) < SEGMENTS:
            store.close_segment()
        flusher.flush_due()
    assert sum(segment.rows() for segment in store.segments) == rows
    return traces[len(traces) // 2]


def test_trace_by_id(benchmark: BenchmarkFixture, asked: Asked) -> None:
    response = benchmark(asked.answer, trace_id=asked.trace_id)
    assert len(response.spans) == (8 if asked.shape == "usual" else 1)


def test_newest_1000_of_a_service(benchmark: BenchmarkFixture, asked: Asked) -> None:
    response = benchmark(asked.answer, service_name=SERVICES[0])
    assert len(response.spans) == 1000 or asked.shape == "adversarial"
    assert response.has_more
    assert {len(span.attributes) for span in response.spans} == {12}


def test_newest_1000_of_a_service_as_otlp(benchmark: BenchmarkFixture, asked: Asked) -> None:
    response = benchmark(asked.answer, service_name=SERVICES[0], encoding=api.ENCODING_OTLP)
    assert len(response.otlp) > 400_000


def test_errors(benchmark: BenchmarkFixture, asked: Asked) -> None:
    response = benchmark(asked.answer, errors_only=True, limit=100)
    assert len(response.spans) == 100
    assert all(span.is_error for span in response.spans)


def test_attribute_equality(benchmark: BenchmarkFixture, asked: Asked) -> None:
    wanted = [api.AttributeFilter(key="http.response.status_code", value="500")]
    response = benchmark(asked.answer, attributes=wanted, limit=100)
    assert len(response.spans) == (100 if asked.shape == "usual" else 0)


def test_what_is_kept(benchmark: BenchmarkFixture, asked: Asked) -> None:
    found = benchmark(lambda: asked.read(lambda reading: inventory(reading, None, SCRUBBERS)))
    assert len(found.services[Signal.TRACES]) == len(SERVICES)
