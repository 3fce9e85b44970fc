"""Summaries: every span in its minute and bucket, scrubbed, of own services, whatever the numbers a sender makes up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from agent import schema
from agent.batch import Signal
from agent.clock import MINUTE_NS
from agent.errors import InvalidQuery
from agent.query import summaries as summaries_
from agent.query import summary_sql
from agent.query.parts import Portion
from agent.query.summaries import Summing, asked_of
from agent.query.summary_sql import GAMMA, RELATIVE_ERROR, Summarised
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.store import database
from agent.store.segment import Bounds, Segment
from agent.store.statement import Source, Statement
from agent.store.store import Store
from tests.agent.query.asking import DEFAULT, OFF, keep
from tests.agent.store.keeping import opened, reading
from tests.telemetry import START, request, span

FIRST = START // MINUTE_NS * MINUTE_NS
ASKED = Summarised(FIRST, FIRST + 5 * MINUTE_NS, ("checkout", "payment"), "checkout")
STATEMENTS: dict[str, Callable[[Summarised, Source], Statement]] = {
    "summary_buckets": summary_sql.buckets,
    "summary_samples": summary_sql.samples,
    "summary_buckets_of_a_portion": lambda asked, source: summary_sql.buckets(asked, source, Portion(1, 2)),
    "summary_samples_of_a_portion": lambda asked, source: summary_sql.samples(asked, source, Portion(1, 2)),
}
FAILED = Status(code=Status.STATUS_CODE_ERROR)


def source(below: int | None) -> Source:
    return Source("s_1_2_a.spans" if below else "tail_0", "1_2_a", below, Bounds(1, FIRST, FIRST, 7))


def ended(number: int, minute: float, took_ns: int, **fields: Any) -> Span:
    """A span that ended so many minutes after FIRST and took so long."""
    end = FIRST + round(minute * MINUTE_NS)
    return span(number, start_time_unix_nano=end - took_ns, end_time_unix_nano=end, **fields)


def summaries(
    store: Store, *own: str, scrubber: Scrubber = DEFAULT, max_bytes: int = 4 << 20, **fields: Any
) -> api.QuerySpanSummariesResponse:
    wanted = api.QuerySpanSummariesRequest(**fields)
    if not wanted.HasField("start_time"):
        wanted.start_time.FromNanoseconds(FIRST)
        wanted.end_time.FromNanoseconds(FIRST + 60 * MINUTE_NS)
    asked = asked_of(wanted, FIRST + 60 * MINUTE_NS, OwnServices.of(own), scrubber)
    with reading(store) as one:
        return Summing(asked, one, scrubber).run(max_bytes)


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_text_of_a_statement_is_its_golden_file(golden, name):
    made: Statement = STATEMENTS[name](ASKED, source(77))
    values = "".join(f"-- {value!r}\n" for value in made.parameters)
    golden(f"sql/{name}.sql", f"{made.text}\n{values}")


@pytest.mark.parametrize("below", [None, 77])
@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_limited_to_the_own_services_and_duckdb_takes_it(tmp_path, name, below):
    made = STATEMENTS[name](ASKED, source(below))
    assert "service_name IN (?, ?)" in made.text
    assert set(ASKED.own or ()) <= {value for value in made.parameters if isinstance(value, str)}
    assert made.text.count("?") == len(made.parameters)
    assert ("arrival < ?" in made.text and 77 in made.parameters) == (below is not None)
    with database.connect(tmp_path, 64 << 20, 1) as connection:
        database.attach(connection, Segment("1_2_a", tmp_path, 1, 2))
        connection.register("tail_0", pa.Table.from_pylist([], schema=schema.TABLES[Signal.TRACES]))
        assert connection.execute(made.text, list(made.parameters)).fetchall() == []
        connection.unregister("tail_0")


def test_spans_are_counted_in_the_minute_in_which_they_ended(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, ended(1, 0.5, 10), ended(2, 1.0, 2 * MINUTE_NS), ended(3, 1.99, 5, status=FAILED))
        keep(store, ended(4, -0.01, 10), ended(5, 61, 10), ended(6, 1.5, -5))
        found = summaries(store).summaries

        counts = [(s.minute.ToNanoseconds() - FIRST, s.operation_name, s.count, s.errors, s.zero_count) for s in found]
        assert counts == [
            (0, "operation 1", 1, 0, 0),
            (MINUTE_NS, "operation 2", 1, 0, 0),
            (MINUTE_NS, "operation 3", 1, 1, 0),
            (MINUTE_NS, "operation 6", 1, 0, 1),
        ]
        assert {(s.service_name, s.kind) for s in found} == {("checkout", api.SPAN_KIND_SERVER)}
        assert [s.failed_trace_ids for s in found if s.errors] == [[(4).to_bytes(16, "big").hex()]]


DURATIONS = st.lists(st.integers(1, 10**13), min_size=1, max_size=40)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DURATIONS)
def test_a_bucket_holds_what_its_bounds_say(tmp_path_factory, durations):
    with opened(tmp_path_factory.mktemp("store")) as (store, _):
        keep(store, *(ended(n, 1, took, name="op") for n, took in enumerate(durations)))
        (found,) = summaries(store).summaries

        told = sorted(
            2 * GAMMA**bucket / (GAMMA + 1)
            for bucket, count in zip(found.bucket_indexes, found.bucket_counts, strict=True)
            for _ in range(count)
        )
        assert len(told) == found.count == len(durations)
        for one, exact in zip(told, sorted(durations), strict=True):
            assert math.isclose(one, exact, rel_tol=RELATIVE_ERROR + 1e-9)
        longest = max(durations)
        assert found.slowest_trace_ids[0] in {
            (n + 1).to_bytes(16, "big").hex() for n, took in enumerate(durations) if took == longest
        }


def test_operations_that_are_one_when_scrubbed_are_counted_as_one(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, ended(1, 1, 10, name="GET /u/ada@example.com"), ended(2, 1, 20, name="GET /u/bob@example.com"))

        (found,) = summaries(store).summaries
        assert (found.operation_name, found.count) == ("GET /u/[REDACTED:email]", 2)
        assert len(summaries(store, scrubber=OFF).summaries) == 2


def test_how_many_raw_operations_are_one_when_scrubbed_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(summaries_, "MAX_OPERATIONS", 2)
    for module in (summaries_, summary_sql):
        monkeypatch.setattr(module, "MAX_ROWS", 3)
    answers = []
    for side, people in enumerate(([f"u{n}@example.com" for n in range(8)], ["ada@example.com"] * 8)):
        with opened(tmp_path / str(side)) as (store, _):
            keep(store, *(ended(n, 1, 10, name=f"login {who}") for n, who in enumerate(people)))
            keep(store, *(ended(n, 1, 10, name=name) for n, name in enumerate("xxyz", 20)))
            answers.append(summaries(store))
    assert answers[0] == answers[1]
    assert [(s.operation_name, s.count, s.is_rest) for s in answers[0].summaries] == [
        ("", 2, True),
        ("login [REDACTED:email]", 8, False),
        ("x", 2, False),
    ]


def test_more_operations_than_are_counted_apart_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(summaries_, "MAX_GROUPS", 2)
    with opened(tmp_path) as (store, _):
        keep(store, *(ended(n, 1, 10, name=f"op {n}") for n in range(9)))
        found = summaries(store).summaries
        assert sorted((s.is_rest, s.count) for s in found) == [(False, 1), (False, 1), (True, 7)]


def test_only_own_services_and_only_the_one_that_is_asked_for(tmp_path):
    with opened(tmp_path) as (store, _):
        for service in ("checkout", "payment", "foreign"):
            keep(store, ended(1, 1, 10), sent=request(ended(1, 1, 10), service=service))

        assert {s.service_name for s in summaries(store, "checkout", "payment").summaries} == {"checkout", "payment"}
        window: dict[str, Any] = {"start_time": {"seconds": FIRST // 10**9}, "end_time": {"seconds": FIRST // 10**9 + 300}}
        assert [s.service_name for s in summaries(store, service_name=" payment ", **window).summaries] == ["payment"]
        assert not summaries(store, "checkout", service_name="foreign", **window).summaries


def test_beyond_the_most_frequent_operations_the_rest_is_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(summaries_, "MAX_OPERATIONS", 2)
    with opened(tmp_path) as (store, _):
        keep(store, *(ended(n, 1, 10, name=name) for n, name in enumerate("aaabbcd")))
        found = summaries(store).summaries

        assert {(s.operation_name, s.is_rest): s.count for s in found} == {("a", False): 3, ("b", False): 2, ("", True): 2}


def test_an_answer_that_would_be_too_large_ends_with_a_minute_and_says_where_to_go_on(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, *(ended(n, n % 10 + 0.5, 10 + n, name=f"op {n}") for n in range(200)))
        counted: Counter[str] = Counter()
        start = FIRST
        for _ in range(20):
            window: dict[str, Any] = {"start_time": {"seconds": start // 10**9}, "end_time": {"seconds": FIRST // 10**9 + 3600}}
            answer = summaries(store, max_bytes=6000, **window)
            counted.update({s.operation_name: s.count for s in answer.summaries})
            if not answer.HasField("next_start_time"):
                break
            start = answer.next_start_time.ToNanoseconds()

        assert counted == {f"op {n}": 1 for n in range(200)}


def test_numbers_that_no_clock_shows_break_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(
            store,
            span(1, start_time_unix_nano=2**63 - 1, end_time_unix_nano=1),
            span(2, start_time_unix_nano=1, end_time_unix_nano=2**63 - 1),
            span(3, start_time_unix_nano=2**63 - 5, end_time_unix_nano=2**63 - 1),
            ended(4, 1, 10),
        )

        assert [s.operation_name for s in summaries(store).summaries] == ["operation 4"]


def test_a_window_that_cannot_be_is_refused():
    for start, end in ((600, 60), (60, 60 + 24 * 3600 + 60), (-600, 60)):
        wanted = api.QuerySpanSummariesRequest(start_time={"seconds": start}, end_time={"seconds": end})
        with pytest.raises(InvalidQuery):
            asked_of(wanted, FIRST, OwnServices.of(()), DEFAULT)


def test_without_times_it_is_the_last_five_minutes_and_the_one_that_runs():
    asked = asked_of(api.QuerySpanSummariesRequest(), FIRST + 1, OwnServices.of(()), DEFAULT)

    assert (asked.start_ns, asked.end_ns) == (FIRST - 4 * MINUTE_NS, FIRST + MINUTE_NS)
