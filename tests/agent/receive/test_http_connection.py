"""Connections that cost more than they may: slow heads, long heads, too many, and what is no HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from agent.receive.http_connection import ConnectionLimits
from agent.receive.otlp_http import serving_otlp_http
from tests.agent.receive.calling import PROTOBUF, head, settings
from tests.agent.receive.recording import SIGNALS, House, RecordingSink, run, spans

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
REQUEST = head(len(spans(1))) + spans(1)


@asynccontextmanager
async def serving(house: House | None = None, **limits: Any) -> AsyncIterator[int]:
    some = settings(connections=ConnectionLimits(**limits))
    async with serving_otlp_http(some, (house or House()).receiver, SIGNALS) as port:
        yield port


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    top = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(top.partition("content-length: ")[2].partition("\r\n")[0])
    return int(top.split()[1]), await reader.readexactly(length)


@pytest.mark.parametrize(
    "begun",
    [b"", b"\r\n", b"POST /v1/tra", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n"],
)
@pytest.mark.parametrize("before", [b"", REQUEST])
def test_a_head_that_does_not_come_in_time_ends_the_connection(before, begun):
    async def test() -> None:
        some = settings(connections=ConnectionLimits(head_timeout_seconds=0.05), idle_timeout_seconds=1)
        async with (
            serving_otlp_http(some, House().receiver, SIGNALS) as port,
            connection(port) as (reader, writer),
        ):
            if before:
                writer.write(before)
                assert (await answer(reader))[0] == 200
            writer.write(begun)
            assert await reader.read() == b""

    run(test())


def test_a_head_that_trickles_ends_the_connection_though_bytes_go_on_coming():
    async def test() -> None:
        async with serving(head_timeout_seconds=0.1) as port, connection(port) as (reader, writer):
            closed = asyncio.get_running_loop().create_task(reader.read())
            writer.write(b"POST /v1/traces HTTP/1.1\r\nx: ")
            while not closed.done():
                writer.write(b"x")
                await asyncio.wait([closed], timeout=0.01)
            with contextlib.suppress(ConnectionResetError):  # a byte that came after the end
                assert closed.result() == b""

    run(test())


def test_a_request_that_is_answered_late_is_no_late_head():
    async def test() -> None:
        gate = asyncio.Event()
        house = House(RecordingSink(gate=gate))
        async with serving(house, head_timeout_seconds=0.05) as port, connection(port) as (reader, writer):
            writer.write(REQUEST + b"POST /v1/traces")
            await house.sink.arrived.wait()
            asyncio.get_running_loop().call_later(0.2, gate.set)
            assert (await answer(reader))[0] == 200
            assert await reader.read() == b""  # the second one's head does not come

    run(test())


@pytest.mark.parametrize(
    "long",
    [
        b"POST /" + b"x" * 3000,
        b"POST /v1/traces HTTP/1.1\r\nx: " + b"x" * 3000,
        b"POST /v1/traces HTTP/1.1\r\n" + b"x: y\r\n" * 600,
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nx: " + b"x" * 3000 + b"\r\n\r\nx",
    ],
)
def test_a_head_that_is_too_long_is_refused(long):
    async def test() -> None:
        house = House()
        async with serving(house, max_head_bytes=2000) as port, connection(port) as (reader, writer):
            writer.write(long)
            code, body = await answer(reader)
            assert (code, await reader.read()) == (431, b"")
            assert "too long" in json.loads(body)["message"]
        assert not house.sink.exports

    run(test())


def test_a_long_body_is_no_long_head_also_when_its_answer_came_before_it():
    async def test() -> None:
        async with serving(max_head_bytes=2000) as port, connection(port) as (reader, writer):
            for path, expected in ((b"/v1/traces", 200), (b"/v1/nothing", 404)):
                writer.write(head(100_000).replace(b"/v1/traces", path))
                for _ in range(100):
                    writer.write(b"x" * 1000)
                assert (await answer(reader))[0] == expected
            writer.write(REQUEST)
            assert (await answer(reader))[0] == 200

    run(test())


def test_connections_over_the_cap_are_closed_and_those_within_go_on():
    async def test() -> None:
        async with (
            serving(max_connections=2) as port,
            connection(port) as (reader, writer),
            connection(port) as (_, second),
        ):
            writer.write(REQUEST)
            second.write(REQUEST)
            assert (await answer(reader))[0] == 200
            async with connection(port) as (refused, _):
                with contextlib.suppress(ConnectionResetError):  # the system may say it either way
                    assert await refused.read() == b""
            writer.write(REQUEST)
            assert (await answer(reader))[0] == 200

    run(test())


@pytest.mark.parametrize(
    "noise",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"garbage\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_1_hears_so_and_the_server_goes_on(noise):
    async def test() -> None:
        async with serving() as port:
            async with connection(port) as (reader, writer):
                writer.write(noise)
                code, body = await answer(reader)
                assert (code, await reader.read()) == (400, b"")
                assert "HTTP/1.1" in json.loads(body)["message"]
            async with httpx.AsyncClient() as client:
                url = f"http://127.0.0.1:{port}/v1/traces"
                assert (await client.post(url, content=spans(1), headers={"content-type": PROTOBUF})).status_code == 200

    run(test())


def test_an_upgrade_to_http_2_is_passed_over():
    async def test() -> None:
        async with serving() as port, connection(port) as (reader, writer):
            more = ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA")
            writer.write(head(len(spans(1)), *more) + spans(1))
            assert (await answer(reader))[0] == 200

    run(test())


def test_a_connection_that_is_old_is_closed_with_its_next_answer_which_says_so():
    async def test() -> None:
        async with serving(max_age_seconds=0) as port, connection(port) as (reader, writer):
            writer.write(REQUEST)
            top = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert top.startswith(b"http/1.1 200 ")
            assert b"\r\nconnection: close\r\n" in top
            assert await reader.read() == b""

    run(test())


def test_a_connection_that_is_not_old_stays():
    async def test() -> None:
        async with serving(max_age_seconds=60) as port, connection(port) as (reader, writer):
            for _ in range(3):
                writer.write(REQUEST)
                assert (await answer(reader))[0] == 200

    run(test())
