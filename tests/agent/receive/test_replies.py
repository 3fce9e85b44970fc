"""Receipts and errors as OTLP's messages."""

from typing import Any

import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no types published

from agent import errors
from agent.batch import Receipt, Signal
from agent.receive import replies

FIELDS = {Signal.TRACES: "rejected_spans", Signal.LOGS: "rejected_log_records", Signal.METRICS: "rejected_data_points"}


@pytest.mark.parametrize("signal", list(Signal))
def test_full_success_is_the_empty_message(signal):
    message: Any = replies.receipt_message(signal, Receipt(accepted=5))
    assert not message.HasField("partial_success")
    assert message.SerializeToString() == b""
    assert replies.json_of(message) == b"{}"


@pytest.mark.parametrize(("signal", "field"), FIELDS.items())
def test_partial_success_has_the_exact_count_and_the_message(signal, field):
    message: Any = replies.receipt_message(signal, Receipt(9, {"bad_id": 1, "foreign": 2}, "2 of another service"))
    assert getattr(message.partial_success, field) == 3
    assert message.partial_success.error_message == "2 of another service"


@pytest.mark.parametrize("signal", list(Signal))
def test_a_warning_is_a_message_without_refusals(signal):
    message: Any = replies.receipt_message(signal, Receipt(9, message="an attribute was cut"))
    assert message.HasField("partial_success")
    assert replies.json_of(message) == b'{"partialSuccess": {"errorMessage": "an attribute was cut"}}'


def test_json_has_64_bit_counts_as_strings():
    message: Any = replies.receipt_message(Signal.TRACES, Receipt(0, {"bad_id": 1}, "x"))
    assert replies.json_of(message) == b'{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "x"}}'


def test_a_reply_over_four_mebibytes_keeps_its_counts_and_shortens_its_message():
    message: Any = replies.receipt_message(Signal.TRACES, Receipt(0, {"bad_id": 7}, "é" * (4 << 20)))
    assert message.partial_success.rejected_spans == 7
    assert message.ByteSize() < 64 << 10
    assert message.partial_success.error_message.endswith("é…")


def test_an_error_message_fits_into_trailers():
    status = replies.error_status(errors.MalformedExport("a" * 5000))
    assert len(status.message) == replies.MAX_ERROR_MESSAGE


@pytest.mark.parametrize("error", [errors.QueueFull("x"), errors.StoreUnavailable("x"), ZeroDivisionError("x")])
def test_what_a_retry_can_cure_says_when_to_come_again(error):
    message = replies.status_message(replies.error_status(error))
    info = error_details_pb2.RetryInfo()
    assert message.details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() == 1700


def test_bad_data_names_the_field_that_is_wrong():
    error = errors.MalformedExport("resourceSpans[0].scopeSpans: expected a list")
    message = replies.status_message(replies.error_status(error))
    bad_request = error_details_pb2.BadRequest()
    assert message.details[0].Unpack(bad_request)
    assert bad_request.field_violations[0].field == "resourceSpans[0].scopeSpans"
    assert bad_request.field_violations[0].description == error.message


def test_too_large_has_no_details_so_that_nobody_retries():
    assert not replies.status_message(replies.error_status(errors.TooLarge("x"))).details
