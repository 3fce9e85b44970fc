"""Faults that the conformance tests found, and that are mended."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agent.batch import Export, Receipt, Signal
from agent.decode.logs import log_decoder
from tests.conformance.wire import field, nested
from tests.flow.house import LOGS, house, in_house
from tests.telemetry import START, attributes, log, log_request, request, span

EVER: dict[str, Any] = {"start_time": {"seconds": 0}}
BROKEN_BODIES = {"no kvlist": field(6, b"\xff"), "no array": field(5, b"\xff"), "too deep": nested(400, 5, 1)}


def broken(body: bytes) -> bytes:
    """A log request whose one record has these bytes for a body."""
    record = b"\x09" + START.to_bytes(8, "little") + field(5, body)
    return field(1, field(2, field(2, record)))


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
def test_a_body_that_cannot_be_read_is_not_the_agents_fault(tmp_path, body):
    async def test():
        async with house(tmp_path) as agent:
            call = agent.otlp.unary_unary(LOGS)(broken(body), timeout=10)
            assert await call.code() in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
            await agent.logs(**EVER)

    in_house(test)


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
def test_a_body_that_cannot_be_read_costs_its_own_record_alone(body):
    good = log_request(log(1)).SerializeToString()
    exports = [Export(Signal.LOGS, payload, 1) for payload in (broken(body), good)]
    decoded = log_decoder(lambda _: True).decode(exports, START)
    assert decoded.receipts[1] == Receipt(1)


def test_string_table_indices_outside_of_profiles_are_warned_of(tmp_path):
    sent = request(span(1, attributes=attributes({"plain": "kept"})))
    sent.resource_spans[0].scope_spans[0].spans[0].attributes.add(value=AnyValue(string_value_strindex=4), key_strindex=3)

    async def test():
        async with house(tmp_path) as agent:
            reply = await agent.export(sent)
            assert "strindex" in reply.partial_success.error_message
            assert reply.partial_success.rejected_spans == 0

    in_house(test)


def test_a_window_that_ends_after_2262_has_a_second_page(tmp_path):
    far: dict[str, Any] = {**EVER, "end_time": {"seconds": 1 << 34}, "limit": 2}

    async def test():
        async with house(tmp_path) as agent:
            await agent.export(request(*(span(number) for number in range(3))))
            first = await agent.spans(**far)
            assert first.has_more
            second = await agent.spans(**far, page_token=first.next_page_token)
            assert (len(second.spans), second.has_more) == (1, False)

    in_house(test)


def test_the_latest_record_that_is_kept_is_in_a_window_that_ends_later(tmp_path):
    async def test():
        async with house(tmp_path) as agent:
            await agent.export_logs(log_request(log(1, time_unix_nano=2**63 - 1)))
            assert (await agent.logs(**EVER)).total_count == 1
            assert (await agent.logs(**EVER, end_time={"seconds": 1 << 34})).total_count == 1

    in_house(test)
