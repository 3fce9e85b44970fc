"""Bodies over real HTTP: encodings, limits, bombs, senders that trickle."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import httpx
import pyarrow as pa
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no types published

from agent.receive.otlp_http import serving_otlp_http
from tests.agent.receive.calling import JSON, PROTOBUF, SPAN, calling, chunks, head, json_spans, send, settings, status
from tests.agent.receive.recording import SIGNALS, House, run, spans


@pytest.mark.parametrize("media", [PROTOBUF, "APPLICATION/X-PROTOBUF; a=b"])
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", lambda body: pa.Codec("zstd").compress(body, asbytes=True)),
        ("identity", bytes),
        ("none", bytes),
        ("", bytes),
    ],
)
def test_every_content_encoding_that_is_taken_is_taken(media, encoding, encode):
    house = House()
    response = send(house, encode(spans(2)), media, headers={"content-encoding": encoding})
    assert response.status_code == 200
    assert house.sink.exports[0].payload == spans(2)


def test_gzip_is_taken_for_json_and_in_two_members_and_when_long():
    house = House()
    body = json_spans({**SPAN, "name": "x"})
    long = spans(1, name="".join(map(chr, range(256, 20_000))))
    gzipped = {"content-encoding": "gzip"}
    assert send(house, gzip.compress(body), JSON, headers=gzipped).status_code == 200
    assert send(house, gzip.compress(body[:9]) + gzip.compress(body[9:]), JSON, headers=gzipped).status_code == 200
    assert send(house, gzip.compress(long), headers=gzipped).status_code == 200
    assert [spans(1, name="x"), spans(1, name="x"), long] == [e.payload for e in house.sink.exports]


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("zstd", b"no zstd"),
        ("snappy", b"x"),
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0)),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-3]),
        ("gzip", b""),
        ("deflate", b"no zlib"),
    ],
)
def test_an_encoding_that_is_not_taken_or_not_true_is_a_bad_request(media, encoding, body):
    house = House()
    response = send(house, body, media, headers={"content-encoding": encoding})
    assert (400, media) == (response.status_code, response.headers["content-type"])
    assert status(response).details[0].Is(error_details_pb2.BadRequest.DESCRIPTOR)
    assert "retry-after" not in response.headers
    assert house.count("refused_spans", transport="http", reason="malformed") == 0
    if encoding in {"snappy", "br", "gzip, gzip"}:
        assert "supported: [identity, gzip, deflate, zstd]" in status(response).message


def test_a_chunked_body_without_a_length_is_taken():
    house = House()
    body = spans(2)
    assert send(house, chunks([body[:7], body[7:9], body[9:]])).status_code == 200
    assert house.sink.exports[0].payload == body


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_too_large_and_one_at_the_limit_is_not(media, chunked):
    body = spans(1, name="x" * 1000) if media == PROTOBUF else json_spans({**SPAN, "name": "x" * 1000})
    for limit, code in ((len(body), 200), (len(body) - 1, 413)):
        response = send(House(), chunks([body[:500], body[500:]]) if chunked else body, media, max_request_body_size=limit)
        assert (code, media) == (response.status_code, response.headers["content-type"])
    assert "otlp.http.max_request_body_size" in status(response).message
    assert response.headers["connection"] == "close"
    assert "retry-after" not in response.headers


def test_a_sender_of_far_too_much_hears_why():
    house = House()
    response = send(house, b"x" * (8 << 20), max_request_body_size=1000)
    assert response.status_code == 413
    assert house.count("refused_spans", transport="http", reason="too_large") == 0


@pytest.mark.parametrize("limit", [1000, 1 << 20])
def test_a_bomb_is_too_large(limit):
    body = gzip.compress(b"\0" * (16 << 20))
    response = send(House(), body, headers={"content-encoding": "gzip"}, max_request_body_size=max(limit, 20_000))
    assert response.status_code == 413


def test_too_many_records_are_too_large():
    response = send(House(max_records=2), spans(3))
    assert response.status_code == 413
    assert "3 spans" in status(response).message


def test_a_request_after_one_that_was_too_large_is_not_misparsed():
    async def test() -> None:
        async with calling(House(), max_request_body_size=1000) as client:
            for _ in range(3):
                large = await client.post("/v1/traces", content=b"x" * 100_000, headers={"content-type": PROTOBUF})
                small = await client.post("/v1/traces", content=spans(1), headers={"content-type": PROTOBUF})
                assert (large.status_code, small.status_code) == (413, 200)

    run(test())


def test_a_sender_that_waits_for_100_continue_is_refused_without_sending():
    async def test() -> None:
        async with serving_otlp_http(settings(max_request_body_size=1000), House().receiver, SIGNALS) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head(5000, "expect: 100-continue"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            writer.close()
            await writer.wait_closed()

    run(test())


def test_a_body_that_trickles_is_cut_off_with_an_answer_that_lets_it_come_again():
    async def test() -> None:
        house = House()
        async with serving_otlp_http(settings(body_timeout_seconds=0.05), house.receiver, SIGNALS) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 9\r\n\r\nx".encode()
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 504 ")
            writer.write(b"12345678")
            await reader.read()  # ends only when the connection does
            writer.close()
            await writer.wait_closed()
        assert house.count("refused_spans", transport="http", reason="deadline_passed") == 0

    run(test())


def test_bodies_that_are_being_read_have_a_budget_and_one_over_it_is_told_to_come_again():
    async def test() -> None:
        house = House()
        some = settings(max_request_body_size=1000, max_reading_bytes=1000)
        async with serving_otlp_http(some, house.receiver, SIGNALS) as port, httpx.AsyncClient(trust_env=False) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = spans(1, name="x" * 900)
            writer.write(head(len(body), "expect: 100-continue"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
            writer.write(body[:900])
            url = f"http://127.0.0.1:{port}/v1/traces"
            response = await client.post(url, content=spans(5), headers={"content-type": PROTOBUF})
            while response.status_code == 200:  # the server has not read the first body's bytes yet
                response = await client.post(url, content=spans(5), headers={"content-type": PROTOBUF})
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
            assert "limits.queue_bytes" in status(response).message
            writer.write(body[900:])
            assert (await reader.readuntil(b"HTTP/1.1 200 ")).endswith(b"200 ")
            assert (await client.post(url, content=spans(5), headers={"content-type": PROTOBUF})).status_code == 200
            writer.close()
        assert house.count("refused_spans", transport="http", reason="queue_full") == 0

    run(test())


def test_what_a_body_inflates_to_is_in_the_budget_too():
    async def test() -> None:
        house = House()
        body, some = spans(1, name="x" * 20_000), settings(max_request_body_size=30_000, max_reading_bytes=30_000)
        headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
        async with serving_otlp_http(some, house.receiver, SIGNALS) as port, httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{port}/v1/traces"
            assert (await client.post(url, content=gzip.compress(body), headers=headers)).status_code == 200
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head(15_000, "expect: 100-continue"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
            writer.write(b"x" * 14_000)
            code = 200
            while code == 200:  # until the server has read the other body's bytes
                code = (await client.post(url, content=gzip.compress(body), headers=headers)).status_code
            assert code == 503
            writer.close()
        assert house.count("refused_spans", transport="http", reason="queue_full") == 0

    run(test())
