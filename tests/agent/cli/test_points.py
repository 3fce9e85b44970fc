"""Data points as a table, and the command that lists, plots or names metrics."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.points import points_table, value_text
from agent.clock import SystemClock
from tests.agent.cli.answering import FixedAgent, typed
from tests.agent.cli.telemetry import at, series, shown

NAMES = [
    api.MetricName(name="latency", type=api.METRIC_TYPE_HISTOGRAM, data_points=60),
    api.MetricName(name="requests", type=api.METRIC_TYPE_SUM, data_points=7),
]
WINDOW = ("--start", "2026-01-31T12:00:00Z", "--end", "2026-01-31T12:00:20Z")


def point(**fields: Any) -> api.DataPoint:
    found = api.DataPoint(service_name="cart", metric_name="load", type=api.METRIC_TYPE_GAUGE, time=at(0))
    found.MergeFrom(api.DataPoint(**fields))
    return found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"int_value": 12345}, "12,345"),
        ({"int_value": 0}, "0"),
        ({"double_value": 0.123456}, "0.1235"),
        ({"double_value": float("inf")}, "inf"),
        ({"no_recorded_value": True}, "none recorded"),
        ({}, "-"),
        ({"count": 3, "sum": 1.5, "min": 0, "max": 1}, "count 3  sum 1.5  min 0  max 1"),
        ({"count": 0}, "count 0"),
        ({"count": 2, "sum": 5, "quantiles": [api.Quantile(quantile=0.999, value=4)]}, "count 2  sum 5  p99.9 4"),
    ],
)
def test_a_value_is_what_the_point_has(fields: dict[str, Any], said: str):
    assert value_text(point(**fields)) == said


def test_a_point_is_a_line():
    found = point(
        int_value=5,
        type=api.METRIC_TYPE_SUM,
        temporality=api.AGGREGATION_TEMPORALITY_DELTA,
        unit="By",
        attributes={"code": '{"intValue":"500"}'},
    )

    _, line = shown(points_table([found], dt.UTC)).splitlines()

    assert line.split() == ["12:00:00.000", "cart", "load", "sum,", "delta", "5", "By", "code=500"]


def test_hostile_points_stay_in_their_line():
    text = shown(points_table([point(service_name="\x1b", metric_name="\x9b\n", unit="\x07", attributes={"\r": "\x1b"})]))

    assert len(text.splitlines()) == 2
    assert not set(text) & set("\x1b\x9b\x07\r")


def test_every_filter_of_the_request_is_an_option(agent: FixedAgent):
    agent.pages = [api.QueryMetricsResponse(data_points=[point(int_value=5)], total_count=1, total_is_exact=True)]
    words = ("metrics", "--service", "cart", *WINDOW, "--metric", "load", "--type", "exponential-histogram", "-a", "a=b")
    request = api.QueryMetricsRequest(
        service_name="cart",
        start_time=at(0),
        end_time=at(20_000),
        metric_name="load",
        type=api.METRIC_TYPE_EXPONENTIAL_HISTOGRAM,
        attributes=[api.AttributeFilter(key="a", value="b")],
        order=api.ORDER_OLDEST,
        limit=5,
        offset=6,
    )
    page = ("--order", "oldest", "--limit", "5", "--offset", "6")

    assert "showing 1 of 1, oldest first" in typed(*words, *page, "--page-token", "t0k")
    typed(*words, *page, "--step", "250ms")

    with_token, with_step = api.QueryMetricsRequest(page_token="t0k"), api.QueryMetricsRequest()
    with_step.step.FromMilliseconds(250)
    for wanted in (with_token, with_step):
        wanted.MergeFrom(request)
    assert agent.asked == [with_token, with_step]
    asked = {field.name for request in agent.asked for field, _ in request.ListFields()} | {"encoding"}
    assert asked == set(api.QueryMetricsRequest.DESCRIPTOR.fields_by_name) - {"after"}  # a colony's bookmark


def test_a_metric_is_plotted(agent: FixedAgent):
    agent.pages = [api.QueryMetricsResponse(series=[series("GAUGE", {"last": 1}, {"at": 19, "last": 2})], total_count=1)]

    text = typed("metrics", "--metric", "requests", *WINDOW)

    assert "requests cart" in text
    assert "min 1  max 2  last 2" in text
    assert "step 334ms" in text
    assert 100 < max(map(len, text.splitlines()[:6])) <= 140


def test_of_nothing_else_typed_ten_series_of_five_minutes_are_plotted(agent: FixedAgent):
    agent.pages = [api.QueryMetricsResponse()]

    typed("metrics", "--metric", "requests")

    (asked,) = agent.asked
    assert (asked.step.ToSeconds(), asked.limit) == (5, 10)
    assert 0 <= SystemClock().now_ns() - asked.start_time.ToNanoseconds() - 300 * 10**9 < 60 * 10**9
    assert not asked.HasField("end_time")


@pytest.mark.parametrize(
    ("window", "milliseconds"),
    [(WINDOW, 334), (("--last", "1m"), 1000), (("--last", "1h"), 60_000), (("--last", "7m"), 7000), (("--last", "1ms"), 1)],
)
def test_the_step_is_a_sixtieth_of_the_window(agent: FixedAgent, window: tuple[str, ...], milliseconds: int):
    agent.pages = [api.QueryMetricsResponse()]

    typed("metrics", "--metric", "requests", *window)

    assert agent.asked[0].step.ToMilliseconds() - milliseconds in ((0, 1000) if milliseconds >= 1000 else (0, 1))


def test_the_points_of_a_metric_are_listed_when_asked_for(agent: FixedAgent):
    agent.pages = [api.QueryMetricsResponse(data_points=[point(int_value=5)])]

    for words in (("--metric", "load", "--points"), ("--points",), ("--metric", "load", "--page-token", "x"), ("-a", "a=b")):
        assert "load" in typed("metrics", *words)

    assert not any(asked.HasField("step") for asked in agent.asked)


def test_json_is_data_points_or_with_a_step_series(agent: FixedAgent):
    agent.pages = [api.QueryMetricsResponse(data_points=[point(int_value=5)], series=[series("GAUGE", {"last": 1})])]

    answer = json.loads(typed("metrics", "--metric", "load", "-o", "json"))
    typed("metrics", "--metric", "load", "-o", "json", "--step", "10s")

    assert answer["data_points"][0]["int_value"] == "5"
    assert [asked.HasField("step") for asked in agent.asked] == [False, True]


def test_without_a_metric_the_names_are_listed(agent: FixedAgent):
    agent.pages = [api.ListNamesResponse(metrics=NAMES, operations=[api.Operation(name="not a metric")])]

    text = typed("metrics", "--service", "cart")

    assert "latency" in text
    assert "not a metric" not in text
    assert "showing 2 of 2 metrics" in text
    assert agent.asked == [api.ListNamesRequest(service_name="cart")]


def test_names_go_by_type_limit_and_offset(agent: FixedAgent):
    agent.pages = [api.ListNamesResponse(metrics=NAMES)]

    def listed(*words: str) -> list[str]:
        return [name["name"] for name in json.loads(typed("metrics", "-o", "json", *words))["metrics"]]

    assert listed("--type", "sum") == ["requests"]
    assert listed("--limit", "1") == ["latency"]
    assert listed("--offset", "1", "--limit", "0") == ["requests"]
    assert "no metrics match" in typed("metrics", "--type", "gauge")


@pytest.mark.parametrize("words", [("--step", "1s", "--points"), ("--step", "1s", "--page-token", "x"), ("--step", "1")])
def test_a_step_goes_with_series_only(words: tuple[str, ...]):
    typed("metrics", *words, code=2)
