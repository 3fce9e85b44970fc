"""OTLP over real HTTP on loopback: every status a sender can meet."""

from __future__ import annotations

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agent import errors
from agent.batch import Receipt, Signal
from tests.agent.receive.calling import JSON, PROTOBUF, SPAN, calling, json_spans, send, status
from tests.agent.receive.recording import SIGNALS, House, RecordingSink, records, run, spans


@pytest.mark.parametrize("signal", SIGNALS)
def test_protobuf_is_answered_with_the_empty_protobuf_response(signal):
    house = House()
    response = send(house, records(3), path=f"/v1/{signal}")
    assert (response.status_code, response.headers["content-type"], response.content) == (200, PROTOBUF, b"")
    assert "date" in response.headers
    assert "server" not in response.headers
    assert "content-encoding" not in response.headers
    assert [(signal, 3, records(3))] == [(e.signal, e.records, e.payload) for e in house.sink.exports]


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])
def test_json_is_answered_with_the_empty_json_response_on_the_same_path(media):
    house = House()
    response = send(house, json_spans(SPAN), media)
    assert (response.status_code, response.headers["content-type"], response.content) == (200, JSON, b"{}")
    assert house.sink.exports[0].payload == spans(1, name="x")
    assert house.count("accepted_spans", transport="http") == 1


def test_json_too_long_for_the_loop_and_json_converted_alone_arrive_too():
    house = House()
    for length in (20_000, 1_040_000):
        assert send(house, json_spans({**SPAN, "name": "x" * length}), JSON).status_code == 200
    assert [spans(1, name="x" * 20_000), spans(1, name="x" * 1_040_000)] == [e.payload for e in house.sink.exports]


@pytest.mark.parametrize(
    ("media", "body"), [(PROTOBUF, b"\xff\xff"), (JSON, b'{"a'), (JSON, b""), (JSON, b'{"resourceSpans":1}')]
)
def test_a_body_that_is_no_request_is_a_bad_request(media, body):
    response = send(House(), body, media)
    assert (400, media, 3) == (response.status_code, response.headers["content-type"], status(response).code)
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(
    ("media", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b'{"resourceSpans":[]}'), (JSON, b"\xef\xbb\xbf{}")]
)
def test_an_empty_request_succeeds(media, body):
    house = House()
    assert send(house, body, media).status_code == 200
    assert house.sink.exports == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("media", [None, PROTOBUF, JSON])
def test_another_method_is_not_allowed(method, media):
    response = send(House(), b"", media, method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.headers["content-type"] == (media or JSON)
    assert status(response).message == "405 method not allowed, supported: [POST]"


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-protobufs", "json"])
def test_another_media_type_is_unsupported(media):
    response = send(House(), b"{}", media)
    assert response.status_code == 415
    wanted = "415 unsupported media type, supported: [application/json, application/x-protobuf]"
    assert status(response).message == wanted


@pytest.mark.parametrize("path", ["/", "/v1/logs", "/v1/traces/", "/v1development/profiles", "/v1/traces%2f"])
def test_another_path_and_a_signal_that_is_not_served_are_not_found(path):
    response = send(House(), b"", path=path, signals=[Signal.TRACES])
    assert (response.status_code, response.headers["content-type"]) == (404, PROTOBUF)
    assert status(response)


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("fault", [errors.QueueFull("full"), errors.StoreUnavailable("no disk")])
def test_what_a_retry_can_cure_is_503_with_retry_after(media, fault):
    async def test() -> None:
        house = House(RecordingSink(fault))
        async with calling(house) as client:
            for _ in range(2):
                body = spans(1) if media == PROTOBUF else json_spans(SPAN)
                response = await client.post("/v1/traces", content=body, headers={"content-type": media})
                assert (503, "2", media) == (
                    response.status_code,
                    response.headers["retry-after"],
                    response.headers["content-type"],
                )
                assert status(response).message == fault.message

    run(test())


def test_an_unexpected_fault_is_503_with_a_fixed_text_and_the_server_lives_on():
    async def test() -> None:
        async with calling(House(RecordingSink(ZeroDivisionError("a secret")))) as client:
            for _ in range(2):
                response = await client.post("/v1/traces", content=spans(1), headers={"content-type": JSON + "x"})
                assert response.status_code == 415
                response = await client.post("/v1/traces", content=spans(1), headers={"content-type": PROTOBUF})
                assert (response.status_code, response.headers["retry-after"]) == (503, "2")
                assert "secret" not in status(response).message

    with structlog.testing.capture_logs() as logs:
        run(test())
    assert len(logs) == 2


def test_partial_success_is_200_in_either_encoding():
    house = House(RecordingSink(Receipt(9, {"bad_id": 1}, "1 span with a bad trace_id")))
    response = send(house, spans(10))
    reply = ExportTraceServiceResponse.FromString(response.content)
    assert (response.status_code, reply.partial_success.rejected_spans) == (200, 1)
    response = send(house, json_spans(*[SPAN] * 10), JSON)
    wanted = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 span with a bad trace_id"}}
    assert (200, wanted) == (response.status_code, response.json())
    assert house.count("refused_spans", transport="http", reason="bad_id") == 2


def test_a_signal_may_have_another_path_and_the_refusal_of_the_usual_one_names_it():
    paths = {Signal.TRACES: "/in/traces", Signal.METRICS: "/v1/metrics", Signal.LOGS: "/v1/logs"}
    assert send(House(), spans(1), path="/in/traces", paths=paths).status_code == 200
    assert send(House(), spans(1), path="/v1/metrics", paths=paths).status_code == 200
    response = send(House(), spans(1), path="/v1/traces", paths=paths)
    assert response.status_code == 404
    assert "supported: [/in/traces, /v1/metrics, /v1/logs]" in status(response).message
