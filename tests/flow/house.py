"""The whole house, run in this process on free ports, with clients for every door."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agent.app import Listening, run
from agent.clock import Clock
from agent.config.model import Config

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
FREE_PORTS = {
    "CORAL_AGENT__OTLP__GRPC__ENDPOINT": "127.0.0.1:0",
    "CORAL_AGENT__OTLP__HTTP__ENDPOINT": "127.0.0.1:0",
    "CORAL_AGENT__QUERY__ENDPOINT": "127.0.0.1:0",
    "CORAL_AGENT__ADMIN__ENDPOINT": "127.0.0.1:0",
    "CORAL_AGENT__STORE__MIN_FREE_BYTES": "0",
}
Result = TypeVar("Result")


@dataclass
class House:
    """A running agent. ``export`` and ``spans`` speak its gRPC doors."""

    listening: Listening
    otlp: grpc.aio.Channel
    query: api_grpc.TelemetryQueryStub
    stop: asyncio.Event

    async def export(self, request: ExportTraceServiceRequest | bytes) -> ExportTraceServiceResponse:
        payload = request if isinstance(request, bytes) else request.SerializeToString()
        reply = await self.otlp.unary_unary(TRACES)(payload)
        return ExportTraceServiceResponse.FromString(reply)

    async def spans(self, **fields: Any) -> api.QuerySpansResponse:
        return await self.query.QuerySpans(api.QuerySpansRequest(**fields))

    async def otlp_spans(self, **fields: Any) -> TracesData:
        response = await self.spans(encoding=api.ENCODING_OTLP, **fields)
        return TracesData.FromString(response.otlp)

    async def export_logs(self, request: ExportLogsServiceRequest) -> ExportLogsServiceResponse:
        return ExportLogsServiceResponse.FromString(await self.otlp.unary_unary(LOGS)(request.SerializeToString()))

    async def export_metrics(self, request: ExportMetricsServiceRequest) -> ExportMetricsServiceResponse:
        return ExportMetricsServiceResponse.FromString(await self.otlp.unary_unary(METRICS)(request.SerializeToString()))

    async def logs(self, **fields: Any) -> api.QueryLogsResponse:
        return await self.query.QueryLogs(api.QueryLogsRequest(**fields))

    async def points(self, **fields: Any) -> api.QueryMetricsResponse:
        return await self.query.QueryMetrics(api.QueryMetricsRequest(**fields))

    async def names(self, **fields: Any) -> api.ListNamesResponse:
        return await self.query.ListNames(api.ListNamesRequest(**fields))

    async def summaries(self, **fields: Any) -> api.QuerySpanSummariesResponse:
        return await self.query.QuerySpanSummaries(api.QuerySpanSummariesRequest(**fields))

    async def info(self) -> api.GetDataInfoResponse:
        return await self.query.GetDataInfo(api.GetDataInfoRequest())


@asynccontextmanager
async def house(directory: Path, clock: Clock | None = None, /, **settings: str) -> AsyncIterator[House]:
    """Open the house over ``directory``; ``settings`` are environment names without their prefix."""
    threads = set(threading.enumerate())
    async with one_of_many(directory, clock, **settings) as found:
        yield found
    # grpc.aio keeps a poller and the loop its executor; every other thread must have ended.
    left = {t.name for t in threading.enumerate() if t not in threads and not t.daemon and not t.name.startswith("uvloop_")}
    assert left == set(), left


@asynccontextmanager
async def one_of_many(directory: Path, clock: Clock | None = None, /, **settings: str) -> AsyncIterator[House]:
    """A house beside others: whether it leaves threads behind cannot be seen while theirs come and go."""
    environ = FREE_PORTS | {f"CORAL_AGENT__{name}": value for name, value in settings.items()}
    config = Config.load(None, environ | {"CORAL_AGENT__STORE__DIR": str(directory)})
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(run(config, stop, listening.set_result, clock))
        bound = await listening
        async with grpc.aio.insecure_channel(bound.otlp_grpc) as otlp, grpc.aio.insecure_channel(bound.query) as query:
            try:
                yield House(bound, otlp, api_grpc.TelemetryQueryStub(query), stop)
            finally:
                stop.set()


def in_house(test: Callable[[], Awaitable[Result]]) -> Result:
    """Run a test's body on the loop that the agent runs on."""
    return uvloop.run(test())  # type: ignore[arg-type]  # a coroutine function's result is a coroutine


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now_ns: int) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000_000)


async def eventually(holds: Callable[[], Awaitable[bool] | bool], why: str) -> None:
    """Wait, at most ten seconds, until something that a background loop does has happened."""
    async with asyncio.timeout(10):
        while True:
            answer = holds()
            if answer is True or (not isinstance(answer, bool) and await answer):
                return
            await asyncio.sleep(0.02)
    raise AssertionError(why)


def ids(spans: Iterable[api.Span]) -> list[str]:
    return [span.span_id for span in spans]
