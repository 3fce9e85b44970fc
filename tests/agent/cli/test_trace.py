"""The tree of a trace: every span once, whatever its parents say."""

from __future__ import annotations

from collections import Counter

from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.trace import bar, rows_of, trace_heading, trace_table
from tests.agent.cli.telemetry import TRACE_ID, shown, span


def drawn(*spans: api.Span) -> list[str]:
    return [row.guides + (row.span.span_id if row.span else f"?{row.missing_parent_id}") for row in rows_of(spans)]


def test_children_stand_under_their_parent_by_start_time():
    lines = drawn(span("d", "c", 4), span("c", "a", 3), span("b", "a", 1), span("a"))

    assert lines == ["a", "├ b", "└ c", "  └ d"]


def test_guides_run_past_grandchildren():
    assert drawn(span("a"), span("b", "a", 1), span("c", "b", 2), span("d", "a", 3)) == ["a", "├ b", "│ └ c", "└ d"]


def test_a_missing_parent_is_named_above_its_children():
    assert drawn(span("a"), span("b", "x", 1), span("c", "x", 2)) == ["a", "?x", "├ b", "└ c"]


def test_parents_in_a_circle_are_shown_once():
    assert drawn(span("a", "b", 0), span("b", "a", 1), span("s", "s", 2)) == ["a", "└ b", "s"]


def test_spans_that_share_an_id_are_all_shown():
    assert drawn(span("a"), span("a", offset_ms=1), span("b", "a", 2)) == ["a", "└ b", "a"]


def test_a_trace_deeper_than_python_recurses_is_shown():
    deep = [span("0"), *(span(str(n), str(n - 1), n) for n in range(1, 5_000))]

    rows = rows_of(deep)

    assert len(rows) == 5_000
    assert max(len(row.guides) for row in rows) <= 60


ids = st.sampled_from("abcdef")


@given(st.lists(st.tuples(ids, st.sampled_from(["", *"abcdefxy"]), st.integers(0, 5)), max_size=12))
def test_every_span_is_shown_exactly_once(drawn_spans: list[tuple[str, str, int]]):
    spans = [span(own, parent, start, position=n) for n, (own, parent, start) in enumerate(drawn_spans)]

    positions = Counter(row.span.position for row in rows_of(spans) if row.span)

    assert positions == Counter(range(len(spans)))


def test_a_bar_lies_where_its_span_does_and_is_never_empty():
    assert bar(0, 100, 100) == "━" * 24
    assert bar(50, 50, 100) == "·" * 12 + "━" * 12
    assert bar(100, 0, 100) == "·" * 23 + "━"
    assert bar(0, 0, 100) == "━" + "·" * 23


def test_a_line_tells_names_offset_duration_errors_and_events():
    failed = span("b", "a", 40, 60, is_error=True, events=[api.Event(name="exception")], dropped_events_count=2)

    text = shown(trace_table([span("a", duration_ms=100), failed]))

    line = next(line for line in text.splitlines() if "op b" in line)
    assert line.split()[:4] == ["└", "cart", "op", "b"]
    assert line.split()[-4:] == ["+40.0ms", "60.0ms", "ERROR", "3"]


def test_a_missing_parent_is_told_in_words():
    assert "missing parent 00f0" in shown(trace_table([span("a", "00f0")]))


def test_hostile_names_stay_in_their_line():
    text = shown(trace_table([span("a", "\x1b[2J", service_name="\x1b[2J", operation_name="[red]\r\n")]))

    assert "\x1b" not in text
    assert len(text.splitlines()) == 3


def test_the_heading_counts_spans_services_and_errors():
    text = trace_heading([span("a", duration_ms=3), span("b", service_name="db", is_error=True)]).plain

    assert text.startswith(f"trace {TRACE_ID}  2 spans, 2 services, 1 errors")
    assert text.endswith("3.0ms")
