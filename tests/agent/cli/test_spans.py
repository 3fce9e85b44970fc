"""The table of spans and the line under it."""

from __future__ import annotations

import datetime as dt

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.spans import kind_text, spans_footer, spans_table, warning_lines
from tests.agent.cli.telemetry import TRACE_ID, shown, span


def page(*spans: api.Span, **fields: object) -> api.QuerySpansResponse:
    return api.QuerySpansResponse(spans=spans, **fields)  # type: ignore[arg-type] # any field


def test_a_span_is_a_line_of_start_duration_service_operation_kind_status_and_trace():
    failed = span("a", duration_ms=12.3, is_error=True, status_code=api.STATUS_CODE_ERROR, status_message="timed out")

    _, line = shown(spans_table(page(failed), dt.UTC)).splitlines()

    assert line.split() == ["12:00:00.000", "12.3ms", "cart", "op", "a", "server", "ERROR", "timed", "out", TRACE_ID]


def test_an_error_without_the_status_is_shown_as_one():
    assert "ERROR" in shown(spans_table(page(span("a", is_error=True))))


def test_spans_of_several_days_tell_the_day():
    lines = shown(spans_table(page(span("a"), span("b", offset_ms=86_400_000)), dt.UTC)).splitlines()

    assert [line[:18] for line in lines[1:]] == ["01-31 12:00:00.000", "02-01 12:00:00.000"]


def test_hostile_telemetry_stays_in_its_line():
    hostile = span("a", service_name="\x1b]0;x\x07", operation_name="[red]\nx", status_message="\x9b1m", trace_id="\r")

    text = shown(spans_table(page(hostile)))

    assert not set(text) & set("\x1b\x9b\r\x07")
    assert len(text.splitlines()) == 2


def test_a_narrow_terminal_cuts_names_and_keeps_the_trace_id():
    lines = shown(spans_table(page(span("a", operation_name="x" * 500))), width=100).splitlines()

    assert len(lines) == 2
    assert TRACE_ID in lines[1]
    assert "…" in lines[1]


def test_the_footer_says_how_much_of_how_much_and_how_to_go_on():
    answer = page(span("a"), total_count=1234, total_is_exact=True, next_page_token="t0k", has_more=True)

    assert spans_footer(answer, api.ORDER_NEWEST, dt.UTC).plain == (
        "showing 1 of 1,234, newest first; 2026-01-31, UTC+0000; next page: --page-token t0k"
    )


def test_the_footer_says_when_the_total_is_a_lower_bound():
    text = spans_footer(page(span("a"), total_count=5), api.ORDER_SLOWEST).plain

    assert text.startswith("showing 1 of at least 5, slowest first")
    assert "next page" not in text


def test_nothing_found_says_what_to_try():
    assert "--last 1h" in spans_footer(page(), api.ORDER_NEWEST).plain


def test_warnings_are_shown_one_a_line():
    assert [line.plain for line in warning_lines(["one", "t\nwo"])] == ["warning: one", r"warning: t\nwo"]


def test_a_kind_has_its_name_or_its_number():
    assert [kind_text(kind) for kind in (0, 3, 77)] == ["-", "client", "77"]
