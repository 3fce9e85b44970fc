"""Around the rows: times, the line under them, warnings."""

from __future__ import annotations

import datetime as dt

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.page import page_footer, time_texts, warning_lines
from tests.agent.cli.telemetry import at


def test_times_tell_the_day_when_there_are_several():
    assert time_texts([at(0), None, at(1)], dt.UTC) == ["12:00:00.000", "-", "12:00:00.001"]
    assert time_texts([at(0), at(86_400_000)], dt.UTC) == ["01-31 12:00:00.000", "02-01 12:00:00.000"]


def test_the_footer_says_how_much_of_how_much_and_how_to_go_on():
    answer = api.QuerySpansResponse(total_count=1234, total_is_exact=True, next_page_token="t0k", has_more=True)

    assert page_footer(answer, "spans", [at(0)], api.ORDER_NEWEST, dt.UTC).plain == (
        "showing 1 of 1,234, newest first; 2026-01-31, UTC+0000; next page: --page-token t0k"
    )


def test_the_footer_says_when_the_total_is_a_lower_bound():
    text = page_footer(api.QuerySpansResponse(total_count=5), "spans", [at(0)], api.ORDER_SLOWEST).plain

    assert text.startswith("showing 1 of at least 5, slowest first")
    assert "next page" not in text


def test_the_footer_of_records_without_a_time_tells_no_day():
    assert page_footer(
        api.QueryLogsResponse(total_count=1, total_is_exact=True), "log records", [None], api.ORDER_OLDEST
    ).plain == ("showing 1 of 1, oldest first")


def test_nothing_found_says_what_to_try():
    text = page_footer(api.QuerySpansResponse(), "spans", [], api.ORDER_NEWEST).plain

    assert text.startswith("no spans match")
    assert "--last 1h" in text


def test_warnings_are_shown_one_a_line():
    assert [line.plain for line in warning_lines(["one", "t\nwo"])] == ["warning: one", r"warning: t\nwo"]
