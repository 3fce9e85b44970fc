"""What both transports do with an Export, and what they count."""

import asyncio
import logging

import pytest
import structlog

from agent import errors
from agent.batch import Export, Receipt, Signal
from tests.agent.receive.recording import House, RecordingSink, records, run, spans


def _take(house: House, payload: bytes, signal: Signal = Signal.TRACES) -> Receipt:
    return asyncio.run(house.receiver.take(signal, "grpc", payload))


def test_an_export_reaches_the_sink_with_its_bytes_and_its_count():
    house = House()
    assert Receipt(accepted=3) == _take(house, spans(3))
    assert [Export(Signal.TRACES, spans(3), 3)] == house.sink.exports
    assert house.count("accepted_spans", transport="grpc") == 3


def test_a_request_longer_than_the_loop_should_count_is_counted_in_a_thread():
    house = House()
    assert Receipt(accepted=2) == _take(house, spans(2, name="x" * 200_000))


@pytest.mark.parametrize("payload", [b"", b"\x0a\x00", b"\x0a\x02\x12\x00"])
def test_a_request_without_records_succeeds_and_stores_nothing(payload):
    house = House(RecordingSink(errors.StoreUnavailable("never asked")))
    assert Receipt(accepted=0) == _take(house, payload)
    assert house.sink.exports == []


def test_what_the_sink_refuses_is_counted_by_its_reasons():
    house = House(RecordingSink(Receipt(7, {"bad_id": 2, "foreign": 1}, "why")))
    assert _take(house, records(10), Signal.LOGS).rejected == 3
    assert house.count("accepted_log_records", transport="grpc") == 7
    assert house.count("refused_log_records", transport="grpc", reason="bad_id") == 2
    assert house.count("refused_log_records", transport="grpc", reason="foreign") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.MalformedExport("x"), "malformed"),
        (errors.QueueFull("x"), "queue_full"),
        (errors.StoreUnavailable("x"), "store_unavailable"),
        (errors.DeadlinePassed("x"), "deadline_passed"),
        (errors.TooLarge("x"), "too_large"),
        (errors.Rejected("x"), "rejected"),
        (errors.Denied("x"), "unexpected"),
    ],
)
def test_a_whole_request_refused_is_counted_with_its_records_under_a_fixed_reason(error, reason):
    house = House(RecordingSink(error))
    with pytest.raises(type(error)):
        _take(house, records(5), Signal.METRICS)
    assert house.count("refused_metric_points", transport="grpc", reason=reason) == 5
    assert house.count("accepted_metric_points", transport="grpc") is None


def test_too_many_records_are_refused_before_the_sink_sees_them():
    house = House(max_records=2)
    with pytest.raises(errors.TooLarge, match=r"3 spans, limits\.max_records allows 2"):
        _take(house, spans(3))
    assert house.sink.exports == []
    assert house.count("refused_spans", transport="grpc", reason="too_large") == 0


def test_a_full_queue_refuses_and_forgets():
    async def test() -> None:
        gate = asyncio.Event()
        house = House(RecordingSink(gate=gate), queue_bytes=len(spans(1)))
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(house.receiver.take(Signal.TRACES, "grpc", spans(1)))
            await house.sink.arrived.wait()
            with pytest.raises(errors.QueueFull):
                await house.receiver.take(Signal.TRACES, "grpc", spans(1))
            gate.set()
        assert first.result() == Receipt(accepted=1)
        assert house.admission.bytes_in_flight == 0

    run(test())


def test_a_fault_of_ours_is_logged_and_passed_on():
    house = House(RecordingSink(ZeroDivisionError("a secret")))
    with structlog.testing.capture_logs() as logs, pytest.raises(ZeroDivisionError):
        _take(house, spans(4))
    assert [(line["log_level"], line["event"], line["signal"]) for line in logs] == [
        ("error", "export failed unexpectedly", "traces")
    ]
    assert house.count("refused_spans", transport="grpc", reason="unexpected") == 4


def test_an_error_on_purpose_is_not_logged(caplog):
    house = House(RecordingSink(errors.QueueFull("full")))
    with structlog.testing.capture_logs() as logs, caplog.at_level(logging.DEBUG), pytest.raises(errors.QueueFull):
        _take(house, spans(1))
    assert logs == []
