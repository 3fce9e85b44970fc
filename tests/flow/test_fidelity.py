"""What is sent comes back: every field, every kind of value, through the whole house."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agent import schema, values
from tests.flow.house import house, in_house
from tests.telemetry import EVERY_VALUE, START, any_value, full_span, request, span

UNSCRUBBED = {"SCRUB__PROFILE": "off"}


def regrouped(message: ExportTraceServiceRequest) -> set[tuple[bytes, str, bytes, str, bytes]]:
    """Each span with where it comes from, comparable whatever the grouping."""
    return {
        (
            group.resource.SerializeToString() if group.HasField("resource") else b"absent",
            group.schema_url,
            scope.scope.SerializeToString() if scope.HasField("scope") else b"absent",
            scope.schema_url,
            span.SerializeToString(),
        )
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    }


def test_every_field_and_value_comes_back_unchanged_as_otlp(tmp_path):
    sent = request(full_span(0), span(1), span(2, status={}), span(3, parent_span_id=b"\0" * 8, end_time_unix_nano=0))
    sent.resource_spans.add().scope_spans.add().spans.append(span(4))
    sent.resource_spans.add(resource=Resource()).scope_spans.add(scope={}).spans.append(span(5))
    entity = sent.resource_spans[0].resource.entity_refs.add(schema_url="https://e", type="service")
    entity.id_keys.append("service.name")

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            reply = await agent.export(sent)
            assert not reply.HasField("partial_success")
            got = await agent.otlp_spans(start_time={"seconds": 1})
            assert regrouped(sent) == regrouped(ExportTraceServiceRequest.FromString(got.SerializeToString()))

    in_house(body)


def test_every_field_survives_sealing_and_a_restart(tmp_path):
    sent = request(full_span(0), span(1))

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            await agent.export(sent)
        assert not list(tmp_path.glob("*.journal")), "a shutdown seals what is open"
        async with house(tmp_path, **UNSCRUBBED) as agent:
            got = await agent.otlp_spans(start_time={"seconds": 1})
            assert regrouped(sent) == regrouped(ExportTraceServiceRequest.FromString(got.SerializeToString()))

    in_house(body)


def test_the_flat_form_says_every_field(tmp_path):
    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            await agent.export(request(full_span(0)))
            (flat,) = (await agent.spans(start_time={"seconds": 1})).spans
        expected = {key: values.text_of(any_value(value)) for key, value in EVERY_VALUE.items()}
        assert dict(flat.attributes) == expected
        assert len({flat.attributes[key] for key in ("int", "double", "string", "bool")}) == 4
        assert flat.attributes["int"] == '{"intValue":"1"}'
        assert flat.attributes["string"] == "1"
        assert (flat.start_time.ToNanoseconds(), flat.end_time.ToNanoseconds()) == (START, START + 5_000_000)
        assert (flat.trace_id, flat.span_id) == ("0" * 31 + "1", "0" * 15 + "1")
        assert (flat.parent_span_id, flat.trace_state, flat.flags) == ("0102030405060708", "vendor=value", 0x8000_0301)
        assert (flat.service_name, flat.operation_name, flat.kind) == ("checkout", "operation 0", api.SPAN_KIND_SERVER)
        assert (flat.duration_us, flat.is_error, flat.status_message) == (5000, True, "it broke")
        assert [event.name for event in flat.events] == ["first", "second"]
        assert dict(flat.events[0].attributes) == expected
        assert flat.events[0].time.ToNanoseconds() == START + 1
        assert (flat.links[0].trace_id, flat.links[0].flags) == ("07" * 16, 0x101)
        assert dict(flat.resource_attributes) == {"service.name": "checkout"}
        assert (flat.scope.name, flat.scope.version, dict(flat.scope.attributes)) == (
            "library",
            "1.2.3",
            {"scope": '{"boolValue":true}'},
        )
        assert (flat.dropped_attributes_count, flat.dropped_events_count, flat.dropped_links_count) == (3, 5, 7)
        assert flat.resource_schema_url == "https://opentelemetry.io/schemas/1.44.0"
        assert flat.scope.schema_url == "https://opentelemetry.io/schemas/1.43.0"

    in_house(body)


COLUMN_OF_FIELD = {
    Span: {
        "trace_id": ("trace_id_high", "trace_id_low"),
        "start_time_unix_nano": ("start_time_ns",),
        "end_time_unix_nano": ("duration_ns",),
        "status": ("status_code", "status_message"),
    },
    ScopeSpans: {"scope": ("scope",), "schema_url": ("scope_schema_url",), "spans": ()},
    ResourceSpans: {"resource": ("resource",), "schema_url": ("resource_schema_url",), "scope_spans": ()},
}


@pytest.mark.parametrize("message", COLUMN_OF_FIELD)
def test_every_otlp_field_has_a_column(message):
    """Nested messages (Resource, scope, events, links, attributes) are kept as wire bytes, so all their fields are."""
    columns = set(schema.SPANS.names) | set(schema.ORIGINS.names)
    for field in message.DESCRIPTOR.fields:
        for column in COLUMN_OF_FIELD[message].get(field.name, (field.name,)):
            assert column in columns, f"{message.DESCRIPTOR.name}.{field.name} would be lost"
