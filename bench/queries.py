"""The queries that are timed, at a gRPC client, each checked for the rows it must return."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from agent.clock import MINUTE_NS, SystemClock
from bench.machine import cores, speed_ms, use_of
from bench.sheet import SERVICES
from bench.target import Target

DEADLINE_SECONDS = 30.0
BY_ATTRIBUTE = "attribute = value, 5 min, 100"


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of query: how to ask, and whether an answer did the work."""

    name: str
    ask: Callable[[Any], Any]
    done: Callable[[Any], bool]


def _since(minutes: int, end_ns: int | None = None) -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds((end_ns or SystemClock().now_ns()) - minutes * MINUTE_NS)
    return stamp


def questions(shape: str, trace_ids: list[str], end_ns: int | None = None) -> list[Question]:
    """The kinds of query for data of a shape that was sent over an hour; every run asks for other values.

    Five minutes are those before ``end_ns``, where the data ends; None: before the moment of asking.
    """
    traces = itertools.cycle(random.Random(1).sample(trace_ids, len(trace_ids)))
    services = itertools.cycle(SERVICES)
    spans_of_a_trace = 8 if shape == "usual" else 1

    def spans(**fields: Any) -> Callable[[api_grpc.TelemetryQueryStub], Any]:  # noqa: ANN401 a value or what makes one
        def ask(stub: api_grpc.TelemetryQueryStub) -> Any:  # noqa: ANN401 the generated stub has no types
            asked = {name: value() if callable(value) else value for name, value in fields.items()}
            return stub.QuerySpans(api.QuerySpansRequest(**asked), timeout=DEADLINE_SECONDS)

        return ask

    failed = [api.AttributeFilter(key="http.response.status_code", value="500")]
    found = [
        Question("trace by id", spans(trace_id=lambda: next(traces)), lambda r: len(r.spans) == spans_of_a_trace),
        Question(
            "service + 5 min, newest 1,000",
            spans(service_name=lambda: next(services), start_time=lambda: _since(5, end_ns), limit=1000),
            lambda r: len(r.spans) == 1000 and len(r.spans[0].attributes) == 12,
        ),
        Question(
            "errors of the hour, 100",
            spans(errors_only=True, start_time=lambda: _since(60, end_ns), limit=100),
            lambda r: len(r.spans) == 100 and r.spans[0].is_error,
        ),
        Question(
            "GetDataInfo",
            lambda stub: stub.GetDataInfo(api.GetDataInfoRequest(), timeout=DEADLINE_SECONDS),
            lambda r: len(r.signals[0].services) == len(SERVICES),
        ),
    ]
    if shape == "usual":
        found[3:3] = [
            Question(
                BY_ATTRIBUTE,
                spans(attributes=failed, start_time=lambda: _since(5, end_ns), limit=100),
                lambda r: len(r.spans) == 100 and r.spans[0].attributes["http.response.status_code"] == '{"intValue":"500"}',
            ),
            Question(
                "attribute = value, absent, hour",
                spans(
                    attributes=[api.AttributeFilter(key="app.request.id", value="absent")],
                    start_time=lambda: _since(60, end_ns),
                    limit=100,
                ),
                lambda r: not r.spans and r.total_is_exact,
            ),
        ]
    return found


def questions_of_logs(end_ns: int | None = None) -> list[Question]:
    """The kinds of query for log records that were sent over an hour; see ``questions``."""

    def logs(**fields: Any) -> Callable[[api_grpc.TelemetryQueryStub], Any]:  # noqa: ANN401 the values of a request
        def ask(stub: api_grpc.TelemetryQueryStub) -> Any:  # noqa: ANN401 the generated stub has no types
            return stub.QueryLogs(
                api.QueryLogsRequest(start_time=_since(5, end_ns), limit=100, **fields), timeout=DEADLINE_SECONDS
            )

        return ask

    return [
        Question("text that no body has, 5 min", logs(text="Zebra"), lambda r: not r.log_records and r.total_is_exact),
        Question("text of every fourth body, 5 min, 100", logs(text="SLOW QUERY"), lambda r: len(r.log_records) == 100),
        Question("errors and worse, 5 min, 100", logs(min_severity=17), lambda r: len(r.log_records) == 100),
    ]


def rows_kept(target: Target) -> int:
    """How many records of every signal an agent says it has."""
    with grpc.insecure_channel(target.query or "") as channel:
        stub = api_grpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call]  # generated
        answer = stub.GetDataInfo(api.GetDataInfoRequest(), timeout=DEADLINE_SECONDS)
        return sum(signal.rows for signal in answer.signals)


def percentile(values: list[float], share: float) -> float:
    """The least value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, -(-len(values) * round(share * 1000) // 1000) - 1)]


def timed(target: Target, kinds: list[Question], runs: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Latency of each kind over at most ``runs`` runs and its share of ``seconds``, the server's CPU for one, how fast it was.

    Raises:
        RuntimeError: an answer lacks what it must have.
    """
    figures = {}
    with grpc.insecure_channel(target.query or "", options=[("grpc.max_receive_message_length", -1)]) as channel:
        stub = api_grpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call]  # generated
        for kind in kinds:
            latencies: list[float] = []
            cpu, until = use_of(target.pid).cpu_seconds, time.monotonic() + seconds / len(kinds)
            while len(latencies) < runs and (not latencies or time.monotonic() < until):
                began = time.perf_counter()
                answer = kind.ask(stub)
                latencies.append((time.perf_counter() - began) * 1000)
                if not kind.done(answer):
                    raise RuntimeError(f"{kind.name}: the answer is not what was sent: {str(answer)[:500]}")
            figures[kind.name] = {
                "runs": len(latencies),
                "first_ms": round(latencies[0], 2),
                "p50_ms": round(percentile(latencies, 0.5), 2),
                "p95_ms": round(percentile(latencies, 0.95), 2),
                "max_ms": round(max(latencies), 2),
                "speed_ms": speed_ms(cores()[0]),
                "server_cpu_ms": round((use_of(target.pid).cpu_seconds - cpu) / len(latencies) * 1000, 1),
            }
    return figures
