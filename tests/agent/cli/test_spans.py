"""The table of spans."""

from __future__ import annotations

import datetime as dt

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.spans import kind_text, spans_table
from tests.agent.cli.telemetry import TRACE_ID, shown, span


def test_a_span_is_a_line_of_start_duration_service_operation_kind_status_and_trace():
    failed = span("a", duration_ms=12.3, is_error=True, status_code=api.STATUS_CODE_ERROR, status_message="timed out")

    _, line = shown(spans_table([failed], dt.UTC)).splitlines()

    assert line.split() == ["12:00:00.000", "12.3ms", "cart", "op", "a", "server", "ERROR", "timed", "out", TRACE_ID]


def test_an_error_without_the_status_is_shown_as_one():
    assert "ERROR" in shown(spans_table([span("a", is_error=True)]))


def test_spans_of_several_days_tell_the_day():
    lines = shown(spans_table([span("a"), span("b", offset_ms=86_400_000)], dt.UTC)).splitlines()

    assert [line[:18] for line in lines[1:]] == ["01-31 12:00:00.000", "02-01 12:00:00.000"]


def test_hostile_telemetry_stays_in_its_line():
    hostile = span("a", service_name="\x1b]0;x\x07", operation_name="[red]\nx", status_message="\x9b1m", trace_id="\r")

    text = shown(spans_table([hostile]))

    assert not set(text) & set("\x1b\x9b\r\x07")
    assert len(text.splitlines()) == 2


def test_a_narrow_terminal_cuts_names_and_keeps_the_trace_id():
    lines = shown(spans_table([span("a", operation_name="x" * 500)]), width=100).splitlines()

    assert len(lines) == 2
    assert TRACE_ID in lines[1]
    assert "…" in lines[1]


def test_a_kind_has_its_name_or_its_number():
    assert [kind_text(kind) for kind in (0, 3, 77)] == ["-", "client", "77"]


@pytest.mark.parametrize("width", [100, 180])
def test_steady_batches_stand_under_each_other(width: int):
    first = shown(spans_table([span("a")], is_steady=True), width).splitlines()
    (second,) = shown(spans_table([span("b", service_name="x" * 40)], is_steady=True, has_header=False), width).splitlines()

    assert first[1].index("server") == second.index("server") == first[0].index("KIND")
    assert first[1].endswith(TRACE_ID)
    assert second.endswith(TRACE_ID)
