"""Bad input at the doors of a running agent: each fault is named, and nothing else is lost."""

from __future__ import annotations

import grpc
import httpx
import pytest

from tests.flow.house import House, house, ids, in_house
from tests.telemetry import attributes, request, span

PROTOBUF = {"content-type": "application/x-protobuf"}
SINCE = {"start_time": {"seconds": 1}}


async def post(agent: House, path: str, content: bytes, method: str = "POST", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(
            method, f"http://{agent.listening.otlp_http}{path}", content=content, headers={**PROTOBUF, **headers}
        )


def test_malformed_protobuf_is_refused_on_both_doors(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            assert (await post(agent, "/v1/traces", b"\xff\xff")).status_code == 400
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await agent.export(b"\xff\xff")
            assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    in_house(body)


def test_wrong_path_method_and_media_type(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            assert (await post(agent, "/v1/nothing", b"")).status_code == 404
            wrong = await post(agent, "/v1/traces", b"", method="PUT")
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
            assert (await post(agent, "/v1/traces", b"", **{"content-type": "text/plain"})).status_code == 415

    in_house(body)


def test_too_large_and_too_many_are_refused_without_a_retry(tmp_path):
    limits = {"OTLP__GRPC__MAX_RECV_MSG_SIZE_MIB": "1", "OTLP__HTTP__MAX_REQUEST_BODY_SIZE": "1MiB"}

    async def body():
        async with house(tmp_path, **limits, LIMITS__MAX_RECORDS="5") as agent:
            large = request(span(1, name="x" * (2 << 20))).SerializeToString()
            many = request(*(span(n) for n in range(6))).SerializeToString()
            for payload in (large, many):
                assert (await post(agent, "/v1/traces", payload)).status_code == 413
                with pytest.raises(grpc.aio.AioRpcError) as refusal:
                    await agent.export(payload)
                assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "google.rpc.retryinfo-bin" not in str(refusal.value.trailing_metadata())
            assert not (await agent.spans(**SINCE)).spans

    in_house(body)


BAD = {
    "7 bytes of trace id": {"trace_id": b"1234567"},
    "trace id of zeros": {"trace_id": b"\0" * 16},
    "no trace id": {"trace_id": b""},
    "9 bytes of span id": {"span_id": b"123456789"},
    "span id of zeros": {"span_id": b"\0" * 8},
    "7 bytes of parent": {"parent_span_id": b"1234567"},
    "a start after 2262": {"start_time_unix_nano": 2**63},
    "an end after 2262": {"end_time_unix_nano": 2**64 - 1},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD.keys())
def test_a_bad_span_is_refused_alone_with_an_exact_count(tmp_path, fields):
    async def body():
        async with house(tmp_path) as agent:
            good = [span(n) for n in range(9)]
            reply = await agent.export(request(*good[:4], span(99, **fields), *good[4:]))
            assert reply.partial_success.rejected_spans == 1
            assert "1 of 10 spans refused" in reply.partial_success.error_message
            kept = await agent.spans(**SINCE)
            assert set(ids(kept.spans)) == {s.span_id.hex() for s in good}

    in_house(body)


def test_services_that_are_not_ours_are_refused_and_never_shown(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1), service="theirs"))
        async with house(tmp_path, AGENT__SERVICES="checkout,cart") as agent:
            reply = await agent.export(request(span(2), span(3, trace_id=b"x"), service="other"))
            assert reply.partial_success.rejected_spans == 2
            assert "1 with a trace_id" in reply.partial_success.error_message
            await agent.export(request(span(4), service=" cart "))
            for fields in ({}, {"service_name": "theirs"}, {"trace_id": span(1).trace_id.hex()}):
                got = await agent.spans(**SINCE, **fields)
                assert {s.service_name for s in got.spans} <= {"cart"}
                assert got.total_count == (1 if not fields else 0)
            info = await agent.info()
            assert [service.service_name for service in info.signals[0].services] == ["cart"]

    in_house(body)


@pytest.mark.parametrize(
    ("service", "resource", "name"),
    [
        (None, {}, "unknown_service"),
        ("", {}, "unknown_service"),
        (None, {"service.name": 7}, "unknown_service"),
        ("first", {}, "first"),
    ],
)
def test_the_service_of_a_span(tmp_path, service, resource, name):
    sent = request(span(1), service=service, **resource)
    sent.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "second"
    if not resource and service is None:
        del sent.resource_spans[0].resource.attributes[:]

    async def body():
        async with house(tmp_path) as agent:
            await agent.export(sent)
            assert [s.service_name for s in (await agent.spans(**SINCE)).spans] == [name]

    in_house(body)


def test_what_was_taken_and_refused_is_counted(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1), span(2, span_id=b"x")))
            await post(agent, "/v1/traces", request(span(3)).SerializeToString())
            async with httpx.AsyncClient() as client:
                page = (await client.get(f"http://{agent.listening.admin}/metrics")).text
            assert 'coral_agent_receiver_accepted_spans_total{transport="grpc"} 1.0' in page
            assert 'coral_agent_receiver_accepted_spans_total{transport="http"} 1.0' in page
            assert 'coral_agent_receiver_refused_spans_total{reason="invalid_span_id",transport="grpc"} 1.0' in page
            assert (await post(agent, "/v1/traces", b"")).status_code == 200

    in_house(body)


def test_a_span_that_is_too_large_is_refused_alone(tmp_path):
    async def body():
        async with house(tmp_path, LIMITS__MAX_RECORD_BYTES="10KiB", LIMITS__MAX_ATTRIBUTES="128") as agent:
            many = attributes({str(number): number for number in range(129)})
            reply = await agent.export(request(span(1), span(2, name="x" * 20_000), span(3, attributes=many)))
            assert reply.partial_success.rejected_spans == 2
            assert "limits.max_record_bytes" in reply.partial_success.error_message
            assert "limits.max_attributes" in reply.partial_success.error_message
            assert ids((await agent.spans(**SINCE)).spans) == [span(1).span_id.hex()]

    in_house(body)
