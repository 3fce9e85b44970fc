"""Small agents over real gRPC: they keep spans and log records in a list, and can be slow, old, busy, or liars."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no types published
from prometheus_client import CollectorRegistry

from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.merge import Place, behind
from colony.orchestrator.asking import AskSettings
from colony.orchestrator.orchestrator import AgentQueryOrchestrator, OrchestratorSettings, orchestrating
from colony.registry.discovery import Sources
from colony.registry.registry import Registry, RegistrySettings, registering
from colony.signals import LOGS, SPANS, Row, Signal, is_descending, span_duration_ns, time_ns
from colony.sketch import GAMMA, Sketch
from tests.colony.rows import SECOND, START, at

NOW = START + 60 * SECOND


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now_ns: int = NOW) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


@dataclass
class SmallAgent(api_grpc.TelemetryQueryServicer):
    """Answers from what it keeps. ``ahead_ns`` is its clock's error; ``calls`` what it was asked."""

    name: str
    clock: SetClock = field(default_factory=SetClock)
    spans: list[api.Span] = field(default_factory=list)
    logs: list[api.LogRecord] = field(default_factory=list)
    listed: list[str] | None = None
    instance: str = ""
    ahead_ns: int = 0
    page: int = 1000
    knows_after: bool = True
    filters: bool = True
    summarises: bool = False
    refusals: dict[str, list[tuple[grpc.StatusCode, float | None]]] = field(default_factory=dict)
    """By RPC, for the calls to come: a code, and RetryInfo's seconds."""
    stuck: set[str] = field(default_factory=set)
    """RPCs that are never answered."""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    cancelled: int = 0
    arrived: int = 0

    def add(self, *rows: Any) -> None:
        for row in rows:
            self.arrived += 1
            row.position = self.arrived
            (self.spans if isinstance(row, api.Span) else self.logs).append(row)

    async def _before(self, rpc: str, request: Any, context: Any) -> None:
        self.calls.append((rpc, request))
        if rpc in self.stuck:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        if self.refusals.get(rpc):
            code, seconds = self.refusals[rpc].pop(0)
            trailers = []
            if seconds is not None:
                delay = Duration()
                delay.FromNanoseconds(round(seconds * SECOND))
                retry = error_details_pb2.RetryInfo(retry_delay=delay)
                trailers.append(("google.rpc.retryinfo-bin", retry.SerializeToString()))
            await context.abort(code, f"{self.name} says no\n\x1b[31m", tuple(trailers))

    async def GetDataInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        await self._before("GetDataInfo", request, context)
        info = api.GetDataInfoResponse(agent_id=self.name, version="1", instance_id=self.instance)
        info.agent_time.CopyFrom(at(self.clock.now + self.ahead_ns))
        info.retention.FromSeconds(3600)
        for signal, rows in ((SPANS, self.spans), (LOGS, self.logs)):
            names = {row.service_name for row in rows} if self.listed is None else set(self.listed)
            message = info.signals.add(signal=signal.name)
            for name in sorted(names):
                message.services.add(service_name=name, rows=len(rows))
        return info

    async def QuerySpans(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        await self._before("QuerySpans", request, context)
        rows = [row for row in self.spans if not request.trace_id or row.trace_id == request.trace_id]
        rows = [row for row in rows if not request.errors_only or row.is_error]
        return self._page(SPANS, rows, request, api.QuerySpansResponse())

    async def QueryLogs(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        await self._before("QueryLogs", request, context)
        return self._page(LOGS, self.logs, request, api.QueryLogsResponse())

    async def ListNames(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        await self._before("ListNames", request, context)
        names = api.ListNamesResponse()
        names.operations.add(name="GET /", kind=api.SPAN_KIND_SERVER, spans=len(self.spans), errors=1)
        names.metrics.add(name="requests", type=api.METRIC_TYPE_SUM, unit="1", description=self.name, data_points=5)
        names.attribute_keys.add(key="http.route", signal="traces", example="/", records=3)
        names.warnings.append(f"{self.name}: a segment is missing")
        return names

    async def QuerySpanSummaries(self, request: Any, context: Any) -> Any:  # noqa: N802 gRPC's name
        await self._before("QuerySpanSummaries", request, context)
        if not self.summarises:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older agent")
        answer = api.QuerySpanSummariesResponse(gamma=GAMMA)
        start, end = request.start_time.ToNanoseconds(), request.end_time.ToNanoseconds()
        for span in sorted(self.spans, key=lambda span: time_ns(span.end_time)):
            if start <= time_ns(span.end_time) < end:
                sketch = Sketch.of([span_duration_ns(span)])
                summary = answer.summaries.add(
                    service_name=span.service_name,
                    operation_name=span.operation_name,
                    kind=span.kind,
                    count=1,
                    errors=int(span.is_error),
                    zero_count=sketch.zeros,
                    bucket_indexes=list(sketch.buckets),
                    bucket_counts=list(sketch.buckets.values()),
                    slowest_trace_ids=[span.trace_id],
                    failed_trace_ids=[span.trace_id] if span.is_error else [],
                )
                summary.minute.CopyFrom(at(time_ns(span.end_time) // (60 * SECOND) * 60 * SECOND))
        return answer

    def _page(self, signal: Signal, kept: Iterable[Row], request: Any, response: Any) -> Any:
        order = request.order

        def place(row: Row) -> Place:
            return Place(signal.key(row, order, 0), row.position)

        def falls_in(row: Row) -> bool:
            time = signal.key(row, api.ORDER_NEWEST, 0)
            start = request.start_time.ToNanoseconds() if request.HasField("start_time") else 0
            end = request.end_time.ToNanoseconds() if request.HasField("end_time") else 2**63
            wanted = not self.filters or request.service_name in ("", row.service_name)
            return wanted and start <= time < end

        rows = sorted(
            (row for row in kept if falls_in(row)),
            key=lambda row: (place(row).key, place(row).position),
            reverse=is_descending(order),
        )
        response.total_count, response.total_is_exact = len(rows), True
        if request.page_token:
            key, position = base64.b64decode(request.page_token).split()
            rows = behind(rows, Place(int(key), int(position)), signal, order)
        elif request.HasField("after") and self.knows_after:
            rows = behind(rows, Place(request.after.key, request.after.position), signal, order)
        size = min(request.limit or 1000, self.page)
        getattr(response, signal.rows).extend(rows[:size])
        response.has_more = len(rows) > size
        if response.has_more:
            last = place(rows[size - 1])
            response.next_page_token = base64.b64encode(f"{last.key} {last.position}".encode()).decode()
        return response


@asynccontextmanager
async def serving(agent: SmallAgent, address: str = "127.0.0.1:0") -> AsyncIterator[Endpoint]:
    server = grpc.aio.server()
    api_grpc.add_TelemetryQueryServicer_to_server(agent, server)  # type: ignore[no-untyped-call] # generated
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield Endpoint("127.0.0.1", port)
    finally:
        await server.stop(None)


@dataclass
class Colony:
    registry: Registry
    orchestrator: AgentQueryOrchestrator
    instruments: Instruments
    clock: SetClock
    endpoints: list[Endpoint]

    def counted(self, name: str, **labels: str) -> float:
        return self.instruments.registry.get_sample_value(f"coral_colony_{name}", labels) or 0.0


@asynccontextmanager
async def colony_of(
    *agents: SmallAgent | Endpoint, clock: SetClock | None = None, deadline: float = 5.0, cache_seconds: float = 0.0
) -> AsyncIterator[Colony]:
    """A colony that has polled these agents once."""
    clock = clock or SetClock()
    instruments = Instruments(CollectorRegistry())
    async with asyncio.timeout(60), AsyncExitStack() as house:
        endpoints = [
            agent if isinstance(agent, Endpoint) else await house.enter_async_context(serving(agent)) for agent in agents
        ]
        settings = RegistrySettings(Sources(tuple(endpoints)), deadline_seconds=deadline)
        registry = await house.enter_async_context(registering(settings, clock, instruments))
        wanted = OrchestratorSettings(AskSettings(deadline), cache_seconds)
        orchestrator = await house.enter_async_context(orchestrating(registry, wanted, clock, instruments))
        await registry.poll()
        yield Colony(registry, orchestrator, instruments, clock, endpoints)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait, at most ten seconds, for what a background loop does."""
    async with asyncio.timeout(10):
        for _ in itertools.count():
            if holds():
                return
            await asyncio.sleep(0.01)
