"""Errors as statuses and as messages of google.rpc."""

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no types published

from agent import errors
from agent.status import MAX_ERROR_MESSAGE, error_status, status_message, status_of


@pytest.mark.parametrize(
    ("error", "grpc_code", "http_code", "retryable"),
    [
        (errors.MalformedExport("x"), grpc.StatusCode.INVALID_ARGUMENT, 400, False),
        (errors.InvalidQuery("x"), grpc.StatusCode.INVALID_ARGUMENT, 400, False),
        (errors.TooLarge("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, 413, False),
        (errors.Denied("x"), grpc.StatusCode.PERMISSION_DENIED, 403, False),
        (errors.QueueFull("x"), grpc.StatusCode.UNAVAILABLE, 503, True),
        (errors.TooManyQueries("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, 429, True),
        (errors.DeadlinePassed("x"), grpc.StatusCode.DEADLINE_EXCEEDED, 504, False),
        (errors.StoreUnavailable("x"), grpc.StatusCode.UNAVAILABLE, 503, True),
    ],
)
def test_each_error_has_its_codes(error, grpc_code, http_code, retryable):
    status = status_of(error)
    assert (status.grpc_code, status.http_code, status.retryable, status.message) == (grpc_code, http_code, retryable, "x")


def test_an_unexpected_exception_is_retryable_and_says_nothing_of_itself():
    status = status_of(ValueError("secret"))
    assert (status.grpc_code, status.http_code, status.retryable) == (grpc.StatusCode.UNAVAILABLE, 503, True)
    assert "secret" not in status.message


def test_an_error_message_fits_into_trailers():
    status = error_status(errors.MalformedExport("a" * 5000))
    assert len(status.message) == MAX_ERROR_MESSAGE


@pytest.mark.parametrize("error", [errors.QueueFull("x"), errors.StoreUnavailable("x"), ZeroDivisionError("x")])
def test_what_a_retry_can_cure_says_when_to_come_again(error):
    message = status_message(error_status(error))
    info = error_details_pb2.RetryInfo()
    assert message.details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() == 1700


def test_bad_data_names_the_field_that_is_wrong():
    error = errors.MalformedExport("resourceSpans[0].scopeSpans: expected a list")
    message = status_message(error_status(error))
    bad_request = error_details_pb2.BadRequest()
    assert message.details[0].Unpack(bad_request)
    assert bad_request.field_violations[0].field == "resourceSpans[0].scopeSpans"
    assert bad_request.field_violations[0].description == error.message


def test_too_large_has_no_details_so_that_nobody_retries():
    assert not status_message(error_status(errors.TooLarge("x"))).details
