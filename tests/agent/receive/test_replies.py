"""Receipts as OTLP's messages."""

from typing import Any

import pytest

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
