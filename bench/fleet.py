"""Many small agents in one process: ``python -m bench.fleet 100``.

They answer from memory, so that what is measured is the colony.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import grpc.aio
import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc

from agent.clock import SECOND_NS, SystemClock

Context = grpc.aio.ServicerContext[Any, Any]
SPANS = 100
ATTRIBUTES = 12


class SmallAgent(rpc.TelemetryQueryServicer):
    """Keeps a hundred spans of one service, newest first."""

    def __init__(self, number: int) -> None:
        self._name = f"small-{number:03d}"
        now = SystemClock().now_ns()
        self._spans = [_span(number, n, now - n * 100_000_000 - number * 1_000_000) for n in range(SPANS)]

    async def GetDataInfo(self, _request: api.GetDataInfoRequest, _context: Context) -> api.GetDataInfoResponse:  # noqa: N802 gRPC's name
        info = api.GetDataInfoResponse(agent_id=self._name, instance_id=self._name)
        info.agent_time.FromNanoseconds(SystemClock().now_ns())
        info.retention.FromSeconds(3600)
        info.signals.add(signal="traces", rows=SPANS).services.add(service_name="shop", rows=SPANS)
        return info

    async def QuerySpans(self, request: api.QuerySpansRequest, _context: Context) -> api.QuerySpansResponse:  # noqa: N802 gRPC's name
        spans = [span for span in self._spans if not request.trace_id or span.trace_id == request.trace_id]
        limit = request.limit or SPANS
        return api.QuerySpansResponse(
            spans=spans[:limit], total_count=len(spans), total_is_exact=True, has_more=len(spans) > limit, next_page_token="t"
        )


def _span(agent: int, number: int, start_ns: int) -> api.Span:
    span = api.Span(
        trace_id=f"{number:032x}",
        span_id=f"{agent * SPANS + number + 1:016x}",
        parent_span_id="" if agent == 0 else f"{number + 1:016x}",
        service_name="shop",
        operation_name=f"GET /orders/{number % 20}",
        duration_us=5000,
        kind=api.SPAN_KIND_SERVER,
        attributes={f"attribute.{n}": f"value {n} of span {number}" for n in range(ATTRIBUTES)},
        resource_attributes={"service.name": "shop", "host.name": f"node-{agent}"},
        position=SPANS - number,
    )
    span.start_time.FromNanoseconds(start_ns)
    span.end_time.FromNanoseconds(start_ns + SECOND_NS // 200)
    return span


async def _serve(count: int) -> None:
    async with AsyncExitStack() as running:
        addresses = []
        for number in range(count):
            server = grpc.aio.server()
            rpc.add_TelemetryQueryServicer_to_server(SmallAgent(number), server)  # type: ignore[no-untyped-call] # generated
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            await server.start()
            running.push_async_callback(server.stop, None)
        print(json.dumps(addresses), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
