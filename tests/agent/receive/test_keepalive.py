"""Connections to the gRPC receiver over time: pings that are borne or not, ages that end connections and lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from agent.receive.otlp_grpc import GrpcSettings, Keepalive, serving_otlp_grpc
from tests.agent.receive.calling import ANY
from tests.agent.receive.recording import SIGNALS, House, run

PINGS = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"\x00" * 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
GOAWAY, PING = 7, 6


@asynccontextmanager
async def serving(house: House, **some: float) -> AsyncIterator[int]:
    settings = GrpcSettings(ANY, drain_seconds=0, keepalive=Keepalive(**some))  # type: ignore[arg-type]  # of the booleans
    async with serving_otlp_grpc(settings, house.receiver, SIGNALS) as port:
        yield port


async def frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    top = await reader.readexactly(9)
    return top[3], await reader.readexactly(int.from_bytes(top[:3], "big"))


async def until(reader: asyncio.StreamReader, *wanted: int) -> tuple[int, bytes]:
    """The next frame of one of these kinds."""
    kind, payload = await frame(reader)
    while kind not in wanted:
        kind, payload = await frame(reader)
    return kind, payload


async def pinged(port: int, pings: int) -> bytes | None:
    """Pings without a stream, each as soon as the one before is answered; what GOAWAY says, None when it does not come."""
    async with connected(port) as (reader, writer):
        for _ in range(pings):
            writer.write(PINGS)
            kind, payload = await until(reader, PING, GOAWAY)
            if kind == GOAWAY:
                return payload
    return None


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE)
    try:
        yield reader, writer
    finally:
        writer.close()


def test_pings_without_a_stream_as_often_as_min_time_allows_are_borne():
    async def test() -> None:
        async with serving(House(), min_time_seconds=0) as port:
            assert await pinged(port, 50) is None

    run(test())


@pytest.mark.parametrize("permitted", [True, False])
def test_pings_more_often_than_min_time_end_the_connection(permitted):
    async def test() -> None:
        async with serving(House(), min_time_seconds=60, permit_without_stream=permitted) as port:
            said = await pinged(port, 50)
        assert said is not None
        assert b"too_many_pings" in said

    run(test())


def test_a_connection_that_is_old_enough_is_told_to_go_without_a_fault():
    async def test() -> None:
        ages = {"max_connection_age_seconds": 0.05, "max_connection_age_grace_seconds": 0.05}
        async with serving(House(), **ages) as port, connected(port) as (reader, _):
            _, payload = await until(reader, GOAWAY)
            assert payload[4:8] == b"\0\0\0\0"  # NO_ERROR
            with contextlib.suppress(ConnectionError):
                await reader.read()  # ends only when the connection does

    run(test())


def test_pythons_exporter_runs_through_connections_ending_of_age():
    async def test() -> None:
        house = House()
        span = TracerProvider().get_tracer("t").start_span("s")
        span.end()
        assert isinstance(span, ReadableSpan)
        ages = {"max_connection_age_seconds": 0.05, "max_connection_age_grace_seconds": 5}
        async with serving(house, **ages) as port:
            exporter = OTLPSpanExporter(f"http://127.0.0.1:{port}", insecure=True)

            def export() -> list[SpanExportResult]:
                return [exporter.export([span]) for _ in range(300)]

            results = await asyncio.to_thread(export)
            exporter.shutdown()
        assert set(results) == {SpanExportResult.SUCCESS}
        assert len(house.sink.exports) == 300

    run(test())
