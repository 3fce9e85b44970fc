"""Log records as lines, and the command that lists them."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.logs import level_text, log_lines, log_time
from tests.agent.cli.answering import FixedAgent, typed
from tests.agent.cli.telemetry import TRACE_ID, at, record


def line(found: api.LogRecord) -> str:
    return log_lines([found], dt.UTC)[0].plain


def test_a_record_is_a_line_of_time_level_service_body_attributes_and_trace():
    found = record(
        "card declined", level=17, attributes={"order": "7", "amount": '{"doubleValue":1.5}', "ok": '{"boolValue":false}'}
    )

    assert line(found) == f"12:00:00.000 ERROR cart card declined amount=1.5 ok=false order=7 {TRACE_ID}"


def test_services_stand_under_each_other():
    lines = [line.plain for line in log_lines([record(), record("b", service_name="a-service")])]

    assert lines[0].index("paid") == lines[1].index(" b ") + 1


@pytest.mark.parametrize(
    ("level", "word"),
    [(0, "-"), (1, "TRACE"), (8, "DEBUG"), (9, "INFO"), (13, "WARN"), (20, "ERROR"), (24, "FATAL"), (99, "FATAL")],
)
def test_a_level_has_the_word_of_its_range(level: int, word: str):
    assert level_text(level).plain.strip() == word


def test_of_a_body_of_several_lines_the_first_is_shown_and_the_others_counted():
    assert " boom (+2 lines) " in line(record("\nboom\r\n  at x\n  at y\n"))


def test_a_record_without_a_body_shows_the_name_of_its_event():
    assert " user.login " in line(record(body="", event_name="user.login"))


def test_a_long_body_is_cut():
    assert " " + "x" * 999 + "… " in line(record("x" * 5000))


def test_hostile_records_stay_in_their_line():
    found = record("\x1b[31m[red]", service_name="\x9b1m", attributes={"\x07": "\r\u202e"})

    assert r"\x1b[31m[red]" in line(found)
    assert not set(line(found)) & set("\x1b\x9b\x07\r\n\u202e")


def test_the_observed_time_stands_in_for_the_time():
    found = api.LogRecord(observed_time=at(1))

    assert log_time(found) == at(1)
    assert log_time(api.LogRecord()) is None
    assert line(api.LogRecord()).startswith("-            -")


def test_every_filter_of_the_request_is_an_option(agent: FixedAgent):
    agent.pages = [api.QueryLogsResponse(log_records=[record()], total_count=1, total_is_exact=True)]

    text = typed(
        *("logs", "--service", "cart", "--start", "2026-01-31T13:00:00+01:00", "--end", "2026-01-31T12:00:01Z"),
        *("--trace-id", TRACE_ID, "--span-id", "b7ad6b7169203331", "--level", "Warn", "--text", "50% off", "-a", "a=b"),
        *("--order", "oldest", "--limit", "5", "--offset", "6", "--page-token", "t0k"),
    )

    assert " paid " in text
    assert "showing 1 of 1, oldest first" in text
    assert agent.asked == [
        api.QueryLogsRequest(
            service_name="cart",
            start_time=at(0),
            end_time=at(1000),
            trace_id=TRACE_ID,
            span_id="b7ad6b7169203331",
            min_severity=13,
            text="50% off",
            attributes=[api.AttributeFilter(key="a", value="b")],
            order=api.ORDER_OLDEST,
            limit=5,
            offset=6,
            page_token="t0k",
        )
    ]
    asked_without_encoding = {field.name for field, _ in agent.asked[0].ListFields()} | {"encoding"}
    assert asked_without_encoding == set(api.QueryLogsRequest.DESCRIPTOR.fields_by_name) - {"after"}  # a colony's bookmark


def test_nothing_typed_asks_for_a_hundred_of_the_newest(agent: FixedAgent):
    agent.pages = [api.QueryLogsResponse()]

    assert "no log records match" in typed("logs")
    assert agent.asked == [api.QueryLogsRequest(limit=100, order=api.ORDER_NEWEST)]


def test_json_is_the_answer(agent: FixedAgent):
    agent.pages = [api.QueryLogsResponse(log_records=[record("\x9b")])]

    assert json.loads(typed("logs", "-o", "json"))["log_records"][0]["body"] == "\x9b"


def test_a_line_is_never_cut_by_the_terminal(agent: FixedAgent):
    agent.pages = [api.QueryLogsResponse(log_records=[record("x" * 500)])]

    assert "x" * 500 in typed("logs")


@pytest.mark.parametrize(("level", "number"), [("trace", 1), ("FATAL", 21), ("1", 1), ("24", 24)])
def test_a_level_is_a_word_or_a_number(agent: FixedAgent, level: str, number: int):
    agent.pages = [api.QueryLogsResponse()]

    typed("logs", "--level", level)

    assert agent.asked[0].min_severity == number


@pytest.mark.parametrize("level", ["0", "25", "loud", "-1", "९", "9" * 5000, ""])
def test_what_is_no_level_is_refused_with_what_is(level: str):
    assert "fatal" in typed("logs", f"--level={level}", code=2)
