"""Names in tables, and the command that lists them."""

from __future__ import annotations

import json

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.names import keys_table, metric_kind_text, metrics_table, operations_table
from tests.agent.cli.answering import FixedAgent, typed
from tests.agent.cli.telemetry import at, shown

NAMES = api.ListNamesResponse(
    operations=[api.Operation(name="POST /pay", kind=api.SPAN_KIND_SERVER, spans=1200, errors=3)],
    metrics=[api.MetricName(name="latency", type=api.METRIC_TYPE_HISTOGRAM, unit="ms", description="how long", data_points=60)],
    attribute_keys=[api.AttributeKey(key="cart.items", signal="traces", example='{"intValue":"3"}', records=9)],
    warnings=["segment 3 could not be read"],
)


def test_each_kind_of_name_has_its_table():
    assert shown(operations_table(NAMES.operations)).split() == (
        ["OPERATION", "KIND", "SPANS", "ERRORS", "POST", "/pay", "server", "1,200", "3"]
    )
    assert shown(metrics_table(NAMES.metrics)).split() == (
        ["METRIC", "TYPE", "DATA", "POINTS", "UNIT", "DESCRIPTION", "latency", "histogram", "60", "ms", "how", "long"]
    )
    assert shown(keys_table(NAMES.attribute_keys)).split() == (
        ["ATTRIBUTE", "SIGNAL", "RECORDS", "EXAMPLE", "cart.items", "traces", "9", "3"]
    )


def test_hostile_names_stay_in_their_line():
    hostile = "\x1b]0;x\x07\n\x9b"
    tables = [
        operations_table([api.Operation(name=hostile)]),
        metrics_table([api.MetricName(name=hostile, unit=hostile, description=hostile)]),
        keys_table([api.AttributeKey(key=hostile, signal=hostile, example=hostile)]),
    ]

    for table in tables:
        text = shown(table, width=200)
        assert len(text.splitlines()) == 2
        assert not set(text) & set("\x1b\x07\x9b")


def test_a_type_has_its_name_or_its_number():
    assert [metric_kind_text(kind) for kind in (0, 2, 4, 77)] == ["-", "sum", "exponential-histogram", "77"]


def test_the_command_shows_all_three(agent: FixedAgent):
    agent.pages = [NAMES]

    text = typed("names", "--service", "cart", "--start", "2026-01-31T12:00:00Z", "--end", "2026-01-31T12:00:01Z")

    assert "POST /pay" in text
    assert "latency" in text
    assert "cart.items" in text
    assert "warning: segment 3" in text
    assert agent.asked == [api.ListNamesRequest(service_name="cart", start_time=at(0), end_time=at(1000))]
    assert {field.name for field, _ in agent.asked[0].ListFields()} == set(api.ListNamesRequest.DESCRIPTOR.fields_by_name)


def test_the_command_prints_json(agent: FixedAgent):
    agent.pages = [NAMES]

    assert json.loads(typed("names", "--output", "json"))["metrics"][0]["name"] == "latency"


def test_an_agent_without_names_says_so(agent: FixedAgent):
    agent.pages = [api.ListNamesResponse()]

    assert "nothing is kept" in typed("names")
