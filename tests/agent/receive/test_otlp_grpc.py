"""OTLP over real gRPC on loopback: every status a sender can meet."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types published
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agent import errors
from agent.batch import Receipt, Signal
from agent.endpoint import Endpoint
from agent.receive.otlp_grpc import GrpcSettings, Keepalive, serving_otlp_grpc
from tests.agent.receive.recording import SIGNALS, House, RecordingSink, records, run, spans

SERVICE = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
TRACES, METRICS, LOGS = SERVICE.format("trace", "Trace"), SERVICE.format("metrics", "Metrics"), SERVICE.format("logs", "Logs")
PROFILES = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
ANY = Endpoint("127.0.0.1", 0)


@asynccontextmanager
async def _calling(house: House, signals: Collection[Signal] = SIGNALS, **settings: Any) -> AsyncIterator[Any]:
    async with (
        serving_otlp_grpc(GrpcSettings(**{"endpoint": ANY, **settings}), house.receiver, signals) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield lambda payload, path=TRACES, **options: _export(channel, payload, path, **options)


def _export(channel: Any, payload: bytes, path: str = TRACES, **options: Any) -> Any:
    return channel.unary_unary(path)(payload, **options)


def _reply(house: House, payload: bytes, path: str = TRACES, **options: Any) -> bytes:
    async def call() -> bytes:
        async with asyncio.timeout(10), _calling(house) as export:
            reply: bytes = await export(payload, path, **options)
            return reply

    return asyncio.run(call())


def _refusal(house: House, payload: bytes, path: str = TRACES, **settings: Any) -> Any:
    async def call() -> Any:
        async with asyncio.timeout(20), _calling(house, **settings) as export:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await export(payload, path)
            return caught.value

    return asyncio.run(call())


def _details(error: Any) -> Any:
    return status_pb2.Status.FromString(_trailers(error)["grpc-status-details-bin"])


@pytest.mark.parametrize(("path", "signal"), [(TRACES, "traces"), (METRICS, "metrics"), (LOGS, "logs")])
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_an_export_is_answered_with_the_empty_response(path, signal, compression):
    house = House()
    assert _reply(house, records(3), path, compression=compression) == b""
    assert [(signal, 3, records(3))] == [(e.signal, e.records, e.payload) for e in house.sink.exports]


@pytest.mark.parametrize("path", [TRACES, METRICS, LOGS])
def test_an_empty_request_succeeds(path):
    house = House()
    assert _reply(house, b"", path) == b""
    assert house.sink.exports == []


def test_a_signal_that_is_not_served_and_profiles_are_unimplemented():
    for path in (LOGS, PROFILES):
        assert _refusal(House(), b"", path, signals=[Signal.TRACES]).code() == grpc.StatusCode.UNIMPLEMENTED


def test_one_bad_span_of_ten_is_partial_success():
    house = House(RecordingSink(Receipt(9, {"bad_id": 1}, "1 span with a trace_id of 7 bytes, not 16")))
    reply = ExportTraceServiceResponse.FromString(_reply(house, spans(10)))
    assert reply.partial_success.rejected_spans == 1
    assert reply.partial_success.error_message == "1 span with a trace_id of 7 bytes, not 16"
    assert house.count("accepted_spans", transport="grpc") == 9
    assert house.count("refused_spans", transport="grpc", reason="bad_id") == 1


def test_a_warning_is_partial_success_with_nothing_rejected():
    reply = ExportTraceServiceResponse.FromString(_reply(House(RecordingSink(Receipt(1, message="cut"))), spans(1)))
    assert (reply.partial_success.rejected_spans, reply.partial_success.error_message) == (0, "cut")


def test_bytes_that_are_no_protobuf_are_an_invalid_argument_and_the_server_lives_on():
    async def test() -> None:
        house = House()
        async with _calling(house) as export:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await export(b"\xff\xff\xff")
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert await export(spans(1)) == b""
        bad_request = error_details_pb2.BadRequest()
        assert _details(caught.value).details[0].Unpack(bad_request)
        assert bad_request.field_violations[0].description
        assert "google.rpc.retryinfo-bin" not in _trailers(caught.value)
        assert house.count("refused_spans", transport="grpc", reason="malformed") == 0

    run(test())


@pytest.mark.parametrize("fault", [errors.QueueFull("full"), errors.StoreUnavailable("no disk")])
def test_what_a_retry_can_cure_is_unavailable_with_both_retry_trailers(fault):
    error = _refusal(House(RecordingSink(fault)), spans(1))
    assert (grpc.StatusCode.UNAVAILABLE, fault.message) == (error.code(), error.details())
    in_details, alone = error_details_pb2.RetryInfo(), error_details_pb2.RetryInfo()
    assert _details(error).details[0].Unpack(in_details)
    alone.ParseFromString(_trailers(error)["google.rpc.retryinfo-bin"])
    assert alone == in_details
    assert alone.retry_delay.ToMilliseconds() == 1700


def test_an_unexpected_fault_is_unavailable_and_says_nothing_of_itself():
    with structlog.testing.capture_logs() as logs:
        error = _refusal(House(RecordingSink(ZeroDivisionError("a secret"))), spans(1))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "secret" not in error.details()
    assert len(logs) == 1


def test_too_many_records_are_resource_exhausted_without_retry():
    error = _refusal(House(max_records=2), spans(3))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "limits.max_records" in error.details()
    assert not {"google.rpc.retryinfo-bin", "grpc-status-details-bin"} & set(dict(error.trailing_metadata() or ()))


def test_a_request_just_under_64_mib_passes_by_default():
    house = House()
    payload = spans(64, name="x" * ((1 << 20) - 200))
    assert (64 << 20) - (16 << 10) < len(payload) < 64 << 20
    assert _reply(house, payload) == b""
    assert house.sink.exports[0].records == 64


def test_a_request_over_the_limit_is_resource_exhausted_without_retry():
    error = _refusal(House(), spans(1, name="x" * (1 << 20)), max_recv_msg_size_mib=1)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata() or ())


def test_a_bomb_of_empty_spans_is_refused_before_it_is_parsed():
    scope = b"\x12\x00" * 2_000_000
    resource = b"\x12" + _length(scope) + scope
    payload = b"\x0a" + _length(resource) + resource
    assert len(gzip.compress(payload)) < 9000
    error = _refusal(House(max_records=65536), payload)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def _trailers(error: Any) -> dict[str, bytes]:
    return dict(error.trailing_metadata() or ())


def _length(octets: bytes) -> bytes:
    number, out = len(octets), b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def test_three_hundred_exports_at_once_on_one_connection_all_succeed():
    async def test() -> None:
        house = House()
        async with _calling(house) as export, asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(_awaited(export(spans(1)))) for _ in range(300)]
        assert [call.result() for call in calls] == [b""] * 300
        assert len(house.sink.exports) == 300

    run(test())


async def _awaited(call: Any) -> Any:
    return await call


def test_a_connection_that_has_reached_its_age_is_renewed_without_losing_an_export():
    async def test() -> None:
        house = House()
        keepalive = Keepalive(max_connection_age_seconds=0.05, max_connection_age_grace_seconds=5)
        async with _calling(house, keepalive=keepalive) as export:
            began = asyncio.get_running_loop().time()
            sent = 0
            while asyncio.get_running_loop().time() - began < 0.3:
                assert await export(spans(1)) == b""
                sent += 1
        assert sent == len(house.sink.exports)

    run(test())


def test_a_call_in_flight_finishes_while_the_server_drains_and_the_port_is_free_at_once():
    async def test() -> None:
        gate = asyncio.Event()
        house = House(RecordingSink(gate=gate))
        closing = asyncio.Event()

        async def serve(bound: asyncio.Future[int]) -> None:
            async with serving_otlp_grpc(GrpcSettings(endpoint=ANY), house.receiver, SIGNALS) as port:
                bound.set_result(port)
                await closing.wait()

        async with asyncio.TaskGroup() as tasks:
            bound = asyncio.get_running_loop().create_future()
            serving = tasks.create_task(serve(bound))
            port = await bound
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = _export(channel, spans(1))
                await house.sink.arrived.wait()
                closing.set()
                gate.set()
                assert await call == b""
                await serving
                with pytest.raises(grpc.aio.AioRpcError):
                    await _export(channel, spans(1))
            settings = GrpcSettings(endpoint=Endpoint("127.0.0.1", port))
            async with serving_otlp_grpc(settings, House().receiver, SIGNALS) as again:
                assert port == again
        assert len(house.sink.exports) == 1

    run(test())


def test_a_port_in_use_is_a_configuration_error_in_one_line(capfd):
    async def test() -> None:
        async with serving_otlp_grpc(GrpcSettings(endpoint=ANY), House().receiver, SIGNALS) as port:
            settings = GrpcSettings(endpoint=Endpoint("127.0.0.1", port))
            with pytest.raises(errors.ConfigError) as caught:
                async with serving_otlp_grpc(settings, House().receiver, SIGNALS):
                    pytest.fail("two servers share a port")
        assert f'otlp.grpc.endpoint = "127.0.0.1:{port}"' in caught.value.message
        assert "already in use" in caught.value.message
        assert "\n" not in caught.value.message

    run(test())
    assert capfd.readouterr().err == ""


def test_a_unix_socket_serves_and_is_gone_afterwards(tmp_path):
    async def test() -> None:
        path = tmp_path / "otlp.sock"
        house = House()
        settings = GrpcSettings(endpoint=Endpoint.parse(f"unix://{path}"))
        async with serving_otlp_grpc(settings, house.receiver, SIGNALS) as port:
            assert port == 0
            async with grpc.aio.insecure_channel(f"unix://{path}") as channel:
                assert await _export(channel, spans(1)) == b""
        assert not path.exists()

    run(test())
