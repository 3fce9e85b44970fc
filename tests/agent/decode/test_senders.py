"""Whose the bytes of an export are, told from its wire form alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decode.senders import bytes_by_service
from tests.telemetry import attributes, gauge, log, log_request, metric_request, request, span


@pytest.mark.parametrize(
    "sent",
    [request(span(1), service=" checkout "), log_request(log(1)), metric_request(gauge("load", 1))],
    ids=["traces", "logs", "metrics"],
)
def test_the_service_of_an_export_is_named_as_it_is_stored(sent):
    payload = sent.SerializeToString()
    ((service, size),) = bytes_by_service(payload).items()
    assert service == "checkout"
    assert len(payload) - 4 <= size <= len(payload)


def test_each_service_has_its_own_bytes():
    sent = request(span(1), service="small")
    sent.MergeFrom(request(span(2, attributes=attributes({"note": "x" * 1000})), service="large"))
    sent.MergeFrom(request(span(3), service="small"))
    sent.MergeFrom(request(span(4), service=None))
    found = bytes_by_service(sent.SerializeToString())
    assert set(found) == {"small", "large", "unknown_service"}
    assert found["large"] > 1000 > found["small"] > found["unknown_service"]


@given(st.binary(max_size=200))
def test_what_is_no_export_is_nobodys(payload):
    assert sum(bytes_by_service(payload).values()) <= len(payload)


def test_a_resource_that_is_none_is_nobodys():
    assert bytes_by_service(b"\x0a\x04\x0a\x02\x0a\xff") == {}
