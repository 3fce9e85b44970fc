"""What costs its sender ten kilobytes costs the agent little: bombs are refused or survived, and the loop goes on meanwhile.

The agent runs in a process of its own and measures itself (``watched``), without the time for which the machine ran somebody
else (``heartbeat``). A block that the code causes comes again each time: of several tries the shortest counts.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from agent.batch import Signal
from tests.conformance.bombs import DENSE, INSIDE, JSON_BOMBS, REFUSED, TRACES, numbered
from tests.conformance.watched import Watched, watched
from tests.conformance.wire import field
from tests.flow.roundtrip import WIRES
from tests.telemetry import request, span

TRIES = 3
BLOCKED_MS = 50
GROWTH = 128 << 20
QUERY_SECONDS = 5
BOMB = 256 << 20
SOME = ("span attributes", "array values", "resource attributes", "kvlist in a body", "metric metadata")
BOMBS = list(INSIDE) if "CORAL_CONFORMANCE_MUTANTS" in os.environ else SOME
"""A process for each takes seconds: the others are for ``make conformance``."""

GZIP = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("bombed"), bound_seconds=600) as process:
        over_http(process, TRACES, request(span(1)).SerializeToString())
        over_grpc(process, TRACES, request(span(2)).SerializeToString())
        yield process


def over_http(agent: Watched, signal: Signal, payload: bytes) -> str:
    """The status of a gzipped request, as gRPC calls it."""
    url = f"http://{agent.doors['otlp_http']}{WIRES[signal].path}"
    answer = httpx.post(url, content=gzip.compress(payload), headers=GZIP, timeout=30, trust_env=False)
    return {200: "OK", 400: "INVALID_ARGUMENT", 413: "RESOURCE_EXHAUSTED"}.get(answer.status_code, str(answer.status_code))


def over_grpc(agent: Watched, signal: Signal, payload: bytes) -> str:
    with grpc.insecure_channel(agent.doors["otlp_grpc"], compression=grpc.Compression.Gzip) as channel:
        try:
            channel.unary_unary(WIRES[signal].export)(payload, timeout=30)
        except grpc.RpcError as error:
            name: str = error.code().name
            return name
        return "OK"


def cost(agent: Watched, attempt: Callable[[int], Any]) -> tuple[float, int]:
    """The shortest block of several tries, in milliseconds, and the largest growth of memory."""
    blocks, growths = [], []
    for number in range(TRIES):
        agent.mark()
        attempt(number)
        blocked, growth = agent.measured()
        blocks.append(blocked)
        growths.append(growth)
        if blocked < BLOCKED_MS:
            break
    return min(blocks), max(growths)


def cheap(agent: Watched, attempt: Callable[[int], Any]) -> None:
    blocked, growth = cost(agent, attempt)
    assert (blocked < BLOCKED_MS, growth < GROWTH) == (True, True), f"blocked {blocked:.0f} ms, {growth >> 20} MiB more"


@pytest.mark.parametrize("send", [over_http, over_grpc])
@pytest.mark.parametrize("name", REFUSED)
def test_ten_mebibytes_of_empty_records_are_refused_before_they_are_parsed(agent, name, send):
    signal, payload = REFUSED[name]
    assert len(gzip.compress(payload)) < 11 << 10

    def attempt(number: int) -> None:
        assert send(agent, signal, numbered(payload, number)) == "RESOURCE_EXHAUSTED"

    cheap(agent, attempt)


@pytest.mark.parametrize("send", [over_http, over_grpc])
def test_a_bomb_of_zeros_is_refused_within_twice_the_limit(agent, send):
    bomb = bytes(BOMB)

    def attempt(_number: int) -> None:
        assert send(agent, TRACES, bomb) == "RESOURCE_EXHAUSTED"

    cheap(agent, attempt)


@pytest.fixture(scope="module")
def bombed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watched, str]]:
    """A process for each bomb: one that is taken stays in every answer."""
    with watched(tmp_path_factory.mktemp("inside")) as process:
        over_http(process, TRACES, b"")
        yield process, request.param


@pytest.mark.parametrize("bombed", BOMBS, indirect=True)
def test_a_record_of_ten_mebibytes_of_empty_things_is_refused_or_survived(bombed):
    agent, name = bombed
    signal, payload = INSIDE[name]

    def attempt(number: int) -> None:
        assert over_http(agent, signal, numbered(payload, number)) in {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}

    cheap(agent, attempt)


@pytest.mark.parametrize("bombed", BOMBS, indirect=True)
def test_a_query_over_a_record_of_ten_mebibytes_of_empty_things_is_answered(bombed):
    agent, name = bombed
    signal, payload = INSIDE[name]
    over_http(agent, signal, payload)
    wire = WIRES[signal]

    def attempt(number: int) -> None:
        asks = wire.asks(start_time={"seconds": 0}, encoding=api.ENCODING_OTLP if number % 2 else api.ENCODING_FLAT)
        with grpc.insecure_channel(agent.doors["query"]) as channel:
            getattr(api_grpc.TelemetryQueryStub(channel), wire.query)(asks, timeout=QUERY_SECONDS)

    cheap(agent, attempt)


@pytest.mark.parametrize("send", [over_http, over_grpc])
@pytest.mark.parametrize("name", DENSE)
def test_small_records_of_little_but_entries_are_refused_together(agent, name, send):
    signal, payload = DENSE[name]

    def attempt(number: int) -> None:
        assert send(agent, signal, numbered(payload, number)) == "RESOURCE_EXHAUSTED"

    cheap(agent, attempt)


@pytest.mark.parametrize("send", [over_http, over_grpc])
@pytest.mark.parametrize(("count", "verdict"), [(25_000, "RESOURCE_EXHAUSTED"), (30 << 20, "OK")], ids=["many", "one"])
def test_as_much_as_a_request_may_be_of_little_but_attributes_is_refused(agent, count, verdict, send):
    """In many records the whole request, in one that one alone."""
    record = field(2, field(1, b"\x01" * 16) + field(2, b"\x02" * 8) + field(9, b"") * count)
    scope = record * ((63 << 20) // len(record))

    def attempt(number: int) -> None:
        assert send(agent, TRACES, numbered(field(1, field(2, scope)), number)) == verdict

    cheap(agent, attempt)


def over_json(agent: Watched, body: bytes) -> int:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    url = f"http://{agent.doors['otlp_http']}/v1/traces"
    return httpx.post(url, content=gzip.compress(body, 1), headers=headers, timeout=30, trust_env=False).status_code


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_json_of_little_but_brackets_is_refused_or_survived(agent, name):
    def attempt(_number: int) -> None:
        assert over_json(agent, JSON_BOMBS[name]) in {200, 400, 413}

    cheap(agent, attempt)


def test_json_of_eight_thousand_ordinary_spans_is_taken(agent):
    attributes = [{"key": f"http.request.header.{n}", "value": {"stringValue": f"some value {n}"}} for n in range(10)]
    spans = [
        {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "GET /", "kind": 2, "attributes": attributes}
        for number in range(1, 8193)
    ]

    def attempt(number: int) -> None:
        resource = {"attributes": [{"key": "try", "value": {"intValue": number}}]}
        body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()
        assert len(body) > 6 << 20
        assert over_json(agent, body) == 200

    cheap(agent, attempt)
