"""Whatever the telemetry is, an answer fits its budget, says what it left out, and cannot be broken out of."""

from __future__ import annotations

import re
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import Phase, given, settings

from colony.answer.figures import tell_summary
from colony.answer.names import tell_names, tell_services
from colony.answer.rows import Page, tell_logs, tell_points, tell_spans
from colony.answer.span import tell_span
from colony.answer.told import Told, budget_bytes
from colony.answer.trace import id_digits, important, tell_trace
from colony.question import NamesAnswer, TraceAnswer
from colony.registry.agents import Kept
from colony.summaries.told import Figures, OperationSummary, SummaryAnswer
from tests.colony.answer.drawn import (
    MEGABYTE,
    NOW,
    away,
    mapping_of,
    outcomes_of,
    page_answer,
    seeds,
    span_of,
    spans_of,
    text_of,
    tokens,
    trace_answer,
)
from tests.colony.rows import SECOND, START, at, log

_SHOWN = re.compile(r"^ *(?:\[depth \d+\] )?[*!]*([0-9a-f]{4,16}) [+-]", re.MULTILINE)
drawn = settings(deadline=None, max_examples=60, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def assert_fits(told: Told, budget: int) -> None:
    assert told.size_bytes <= budget_bytes(budget)
    lines = told.text.split("\n")
    assert sum(line == "<telemetry-data>" for line in lines) == sum(line == "</telemetry-data>" for line in lines) <= 1
    assert told.text.count("telemetry-data>") in {0, 2}
    assert all(line.isprintable() for line in lines)


def shown_spans(told: Told, answer: TraceAnswer) -> set[int]:
    digits = id_digits(answer.trace)
    by_id = {node.span.span_id[:digits]: number for number, node in enumerate(answer.trace.nodes)}
    return {by_id[prefix] for prefix in _SHOWN.findall(told.text)}


@given(seeds, tokens)
@drawn
def test_a_trace_keeps_what_matters_while_it_holds_anything_else(draw, budget):
    answer = trace_answer(spans_of(draw), outcomes_of(draw))

    told = tell_trace(answer, budget)

    assert_fits(told, budget)
    shown, first = shown_spans(told, answer), set(important(answer.trace))
    assert first <= shown or shown <= first
    assert len(shown) == told.rows == told.structured["shown"]
    if answer.trace.root is not None:
        assert answer.trace.root in shown
    head = told.text.partition("\n")[0]
    hidden = len(answer.trace.nodes) - len(shown)
    assert ("not shown" in head) == (hidden > 0)
    assert ("MISSING" in head) == bool(answer.missing)


def wide(number: int) -> int | None:
    return 0 if number else None


def deep(number: int) -> int | None:
    return number - 1 if number else None


def in_tens(number: int) -> int | None:
    return (number - 1) // 10 if number else None


@pytest.mark.parametrize(("shape", "failed_each"), [(wide, 1), (deep, 1), (deep, 5000), (in_tens, 5000)])
def test_a_trace_of_a_hundred_thousand_spans_fits(shape, failed_each):
    found = [
        span_of(n, shape(n), is_error=n % failed_each == 3 % failed_each, attributes={"key": "value"}) for n in range(100_000)
    ]
    answer = trace_answer(found, away(500))

    told = tell_trace(answer, 6000)

    assert_fits(told, 6000)
    shown, first = shown_spans(told, answer), set(important(answer.trace))
    assert answer.trace.root in shown
    assert first <= shown or shown <= first
    assert f"{100_000 - len(shown):,} spans not shown" in told.text.partition("\n")[0]
    assert "MISSING 500 of 500 agents" in told.text.partition("\n")[0]


def test_attributes_of_a_megabyte_leave_room_for_every_span():
    found = [span_of(n, in_tens(n), attributes={f"k{at}": "v" * MEGABYTE for at in range(3)}) for n in range(20)]
    answer = trace_answer(found)

    told = tell_trace(answer, 2000)

    assert_fits(told, 2000)
    assert len(answer.trace.nodes) == told.rows
    assert "…(+1048" in told.text


@given(seeds, tokens)
@drawn
def test_one_span_fits_and_says_that_values_were_cut(draw, budget):
    answer = trace_answer(spans_of(draw, 12), outcomes_of(draw))
    number = draw.randrange(len(answer.trace.nodes))

    told = tell_span(answer, [number], budget)

    assert_fits(told, budget)
    assert ("…(+" not in told.text.partition("\n")[2]) or "are cut to fit" in told.text.partition("\n")[0]


def test_one_span_whose_attributes_fit_is_shown_whole():
    attributes = {f"key {n}": f"value {n}" for n in range(60)}
    answer = trace_answer([span_of(0, None, attributes=attributes)])

    text = tell_span(answer, [0], 6000).text

    assert all(f'key {n}="value {n}"' in text for n in range(60))
    assert "cut" not in text


def pages(rows: list[Any], told_by: Any, warnings: Any) -> Page:
    answer = page_answer(rows, told_by, tuple(warnings))
    return Page(answer, answer.rows, "rows", "row", notes=["a note"], cursor="abcdef123456", horizon="since then")


@given(seeds, tokens)
@drawn
def test_pages_of_spans_fit_and_count_what_they_hold(draw, budget):
    found = spans_of(draw, 200)

    told = tell_spans(pages(found, outcomes_of(draw), [text_of(draw)] * draw.randint(0, 9)), budget)

    assert_fits(told, budget)
    assert told.rows >= 1
    assert told.structured["shown"] == told.rows
    cut = len(found) - told.rows
    assert (f"{cut} rows cut to fit" in told.text.partition("\n")[0]) == bool(cut)


@given(seeds, tokens)
@drawn
def test_pages_of_logs_and_points_fit(draw, budget):
    found = [(text_of(draw), mapping_of(draw, 4)) for _ in range(draw.randint(1, 200))]
    told_by = outcomes_of(draw)
    records = [
        log(body, START + n * SECOND, attributes=attributes, level=9 + n % 9) for n, (body, attributes) in enumerate(found)
    ]
    points = [api.DataPoint(metric_name=name, service_name="s", time=at(START), attributes=more) for name, more in found]

    for told in (tell_logs(pages(records, told_by, ()), budget), tell_points(pages(points, told_by, ()), budget)):
        assert_fits(told, budget)
        assert told.rows >= 1


def test_attributes_of_rows_that_failed_go_last():
    rows = [span_of(n, None, is_error=n == 3, trace_id=f"{n:032x}", attributes={"key": f"{n}" * 300}) for n in range(60)]

    text = tell_spans(pages(rows, (), ()), 4000).text

    assert "3" * 90 in text
    assert "4" * 90 not in text


def figures(count: int) -> Figures:
    return Figures(count, count // 2, 1.5, 1e6, 2e6, 3e9)


@given(seeds, tokens)
@drawn
def test_summaries_names_and_services_fit(draw, budget):
    names, gaps = ([text_of(draw) for _ in range(draw.randint(0, most))] for most in (300, 20))
    service = text_of(draw)
    operations = tuple(OperationSummary(name, 2, figures(n), ("a" * 32,), ("b" * 32,)) for n, name in enumerate(names))
    summary = SummaryAnswer(service, START, NOW, figures(9), True, operations, (), 1, tuple(gaps))
    listed = api.ListNamesResponse(warnings=gaps)
    for name in names:
        listed.operations.add(name=name, spans=1)
        listed.metrics.add(name=name, description=name, unit=name)
        listed.attribute_keys.add(key=name, example=name)
    kept = {name: {"traces": {"node-1": Kept(1, START, NOW)}} for name in names}

    assert_fits(tell_summary(summary, budget, instead_of=away(50), note="instead"), budget)
    assert_fits(tell_names(NamesAnswer(listed, away(50), NOW), service, budget), budget)
    assert_fits(tell_services(kept, [], NOW, budget), budget)
