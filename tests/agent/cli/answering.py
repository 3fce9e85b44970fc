"""An agent that answers what it was given, and the command line typed at it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc
from typer.testing import CliRunner

from agent.cli.commands import commands
from tests.agent.cli.telemetry import span


class FixedAgent(rpc.TelemetryQueryServicer):
    """Answers what it was given and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.pages: list[Any] = [api.QuerySpansResponse(spans=[span("a")], total_count=1, total_is_exact=True)]
        self.kept = api.GetDataInfoResponse(agent_id="node-1", signals=[api.SignalInfo(signal="traces", rows=7)])
        self.refusals: dict[int, tuple[grpc.StatusCode, str]] = {}
        """By how many requests came before."""

    def QuerySpans(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 gRPC's name
        before = len(self.asked)
        self.asked.append(request)
        if before in self.refusals:
            context.abort(*self.refusals[before])
        return self.pages[min(before, len(self.pages) - 1)]

    QueryLogs = QueryMetrics = ListNames = QuerySpans

    def GetDataInfo(self, request: api.GetDataInfoRequest, context: grpc.ServicerContext) -> api.GetDataInfoResponse:  # noqa: N802 gRPC's name
        return self.kept


def started(agent: FixedAgent, bind: Callable[[grpc.Server], int]) -> tuple[grpc.Server, str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    rpc.add_TelemetryQueryServicer_to_server(agent, server)  # type: ignore[no-untyped-call] # generated
    port = bind(server)
    server.start()
    return server, f"127.0.0.1:{port}"


def typed(*words: str, code: int = 0) -> str:
    """What the command line prints: on standard output, or on standard error when it fails."""
    result = CliRunner().invoke(commands, words, env={"COLUMNS": "140"})
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr
