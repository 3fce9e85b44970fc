"""Compressed requests over real gRPC: inflated by the agent, within its limits."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from agent.receive.otlp_grpc import GrpcSettings, serving_otlp_grpc
from tests.agent.receive.calling import ANY
from tests.agent.receive.recording import SIGNALS, House, run, spans
from tests.flow.house import TRACES

SQUEEZED = [grpc.Compression.Gzip, grpc.Compression.Deflate]


@asynccontextmanager
async def calling(house: House, **settings: Any) -> AsyncIterator[Any]:
    async with (
        serving_otlp_grpc(GrpcSettings(ANY, **settings), house.receiver, SIGNALS) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel.unary_unary(TRACES)


async def refusal(export: Any, payload: bytes, compression: grpc.Compression) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(payload, compression=compression)
    return caught.value


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, *SQUEEZED])
@pytest.mark.parametrize("length", [0, 100, 300_000])
def test_a_request_comes_out_as_it_went_in(compression, length):
    house, payload = House(), spans(2, name="".join(chr(33 + n % 90) for n in range(length)))

    async def test() -> None:
        async with calling(house) as export:
            assert await export(payload, compression=compression) == b""

    run(test())
    assert [one.payload for one in house.sink.exports] == [payload]


@pytest.mark.parametrize("compression", SQUEEZED)
def test_a_bomb_is_refused_while_it_inflates_and_counted(compression):
    house = House()

    async def test() -> None:
        async with calling(house, max_recv_msg_size_mib=1) as export:
            error = await refusal(export, b"\0" * (32 << 20), compression)
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "otlp.grpc.max_recv_msg_size_mib" in str(error.details())
            assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata() or ())
            assert await export(spans(1)) == b""

    run(test())
    assert house.count("refused_requests", signal="traces", transport="grpc", reason="too_large") == 1


def test_the_limit_is_inclusive():
    async def test() -> None:
        empty = len(spans(1, name="x" * (1 << 20))) - (1 << 20)
        async with calling(House(), max_recv_msg_size_mib=1) as export:
            assert await export(spans(1, name="x" * ((1 << 20) - empty)), compression=grpc.Compression.Gzip) == b""
            error = await refusal(export, spans(1, name="x" * ((1 << 20) - empty + 1)), grpc.Compression.Gzip)
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    run(test())


def test_what_requests_inflate_to_is_bounded_together():
    async def test() -> None:
        async with calling(House(), max_reading_bytes=4000) as export:
            error = await refusal(export, spans(1, name="x" * 5000), grpc.Compression.Gzip)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata() or ())
            assert await export(spans(1, name="x" * 3000), compression=grpc.Compression.Gzip) == b""

    run(test())


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", gzip.compress(spans(1), mtime=0)[:-3], b"\x78\x9c\xff", b"\x78\x01"])
def test_what_only_begins_as_if_it_were_compressed_is_no_fault_of_the_agents(body):
    async def test() -> None:
        async with calling(House()) as export:
            call = export(body)
            assert await call.code() in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
            await asyncio.gather(call, return_exceptions=True)
            assert await export(spans(1)) == b""

    run(test())
