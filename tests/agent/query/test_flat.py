"""The parts that flat messages share, written straight to the wire, are what protobuf would have made of them."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from agent.query.flat import flat_scope, resource_attributes, shared_wire
from agent.query.rows import Origin
from tests.telemetry import EVERY_VALUE, attributes

MESSAGES = pytest.mark.parametrize("message", [api.Span, api.LogRecord, api.DataPoint])
ORIGIN = Origin(
    "checkout",
    Resource(attributes=attributes(EVERY_VALUE)).SerializeToString(),
    "of the resource",
    InstrumentationScope(name="library", version="1", attributes=attributes({"k": 1})).SerializeToString(),
    "of the scope",
)


@MESSAGES
@pytest.mark.parametrize("origin", [ORIGIN, Origin("checkout", None, "", None, ""), Origin("c", b"\xff", "", b"\xff", "")])
def test_what_the_rows_of_an_origin_share_is_made_once(message, origin):
    wire = shared_wire(origin, message)
    assert message.FromString(wire) == message(
        resource_attributes=resource_attributes(origin.resource),
        scope=flat_scope(origin),
        resource_schema_url=origin.resource_schema_url,
    )
    assert shared_wire(origin, message) is wire
