"""The statements, as golden files; and what a golden cannot prove: own services in every one, and that DuckDB takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent import schema
from agent.batch import Signal
from agent.query import sql
from agent.query.page import Position
from agent.query.parts import Portion
from agent.query.plan import Names, Plan
from agent.store import database
from agent.store.segment import Bounds, Segment
from agent.store.statement import Source, Statement
from tests.agent.query.asking import EVERYTHING, NOW, OFF, plan, planner
from tests.telemetry import SECOND, START

OWN = ("checkout", "payment")
AT = Position(START, 5)
ALL_FILTERS: dict[str, Any] = {
    "service_name": "checkout",
    "start_time": {"seconds": 1},
    "end_time": {"seconds": 2},
    "trace_id": "ab" * 16,
    "operation_name": "GET",
    "min_duration_ms": 1,
    "max_duration_ms": 2,
    "errors_only": True,
    "kind": 2,
    "attributes": [{"key": "k", "value": "500"}, {"key": "l", "value": "x"}],
}


def logs(**fields: Any) -> Plan:
    return planner(*OWN, scrubber=OFF).logs(api.QueryLogsRequest(**fields), NOW)


def points(**fields: Any) -> Plan:
    return planner(*OWN, scrubber=OFF).points(api.QueryMetricsRequest(**fields), NOW)


WINDOW: dict[str, Any] = {"start_time": {"seconds": 1}, "end_time": {"seconds": 2}}
NAMES = Names(plan(**WINDOW).window, "checkout", OWN)
STEP: dict[str, Any] = {**WINDOW, "step": {"seconds": 1}}
PORTION = Portion(3, 4)
ANY_TIME = Bounds(1000, 0, NOW * 2, 2**62)

STATEMENTS: dict[str, Callable[[Source], Statement]] = {
    "page": lambda s: sql.page(plan(*OWN), s, None, 11),
    "page_of_all_filters": lambda s: sql.page(plan(*OWN, **ALL_FILTERS), s, None, 11),
    "page_behind_newest": lambda s: sql.page(plan(*OWN), s, AT, 11),
    "page_to_an_edge": lambda s: sql.page(plan(*OWN), s, AT, 11, START - SECOND),
    "page_of_oldest_to_an_edge": lambda s: sql.page(plan(*OWN, order=api.ORDER_OLDEST), s, None, 11, START),
    "page_behind_oldest": lambda s: sql.page(plan(*OWN, order=api.ORDER_OLDEST), s, AT, 11),
    "page_behind_slowest": lambda s: sql.page(plan(*OWN, order=api.ORDER_SLOWEST), s, AT, 11),
    "page_of_logs": lambda s: sql.page(logs(text="Broken", min_severity=17, span_id="ab" * 8), s, None, 11),
    "page_of_points": lambda s: sql.page(points(metric_name="m", type=1), s, None, 11),
    "shown_newest": lambda s: sql.shown(plan(*OWN), s, AT, 1000),
    "shown_oldest": lambda s: sql.shown(plan(*OWN, order=api.ORDER_OLDEST), s, AT, 1000),
    "positions": lambda s: sql.positions(plan(*OWN), s, 50),
    "count": lambda s: sql.count(plan(*OWN), s),
    "count_among": lambda s: sql.count(plan(*OWN), replace(s, among="among_0")),
    "count_in_ranges": lambda s: sql.count(plan(*OWN), replace(s, ranges=((5, 9), (20, 30)))),
    "count_in_no_range": lambda s: sql.count(plan(*OWN), replace(s, ranges=())),
    "count_within": lambda s: sql.count(plan(*OWN, **WINDOW), replace(s, bounds=Bounds(5, SECOND, 2 * SECOND - 1, 0))),
    "kept": lambda s: sql.kept(OWN, s, "start_time_ns"),
    "steps": lambda s: sql.steps(points(**STEP), s, 100),
    "operations": lambda s: sql.operations(NAMES, s, 1000),
    "metrics": lambda s: sql.metrics(NAMES, s, 1000),
    "steps_of_a_portion": lambda s: sql.steps(points(**STEP), s, 100, PORTION),
    "operations_of_a_portion": lambda s: sql.operations(NAMES, s, 1000, PORTION),
    "metrics_of_a_portion": lambda s: sql.metrics(NAMES, s, 1000, PORTION),
    "newest": lambda s: sql.newest(NAMES, s, "start_time_ns", 100),
}
OF_LOGS, OF_POINTS = {"page_of_logs"}, {"page_of_points", "steps", "metrics", "steps_of_a_portion", "metrics_of_a_portion"}


def source(name: str, below: int | None) -> Source:
    table = "logs" if name in OF_LOGS else "points" if name in OF_POINTS else "spans"
    return Source(f"s_1_2_a.{table}" if below else "tail_0", "1_2_a", below, ANY_TIME)


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_text_of_a_statement_is_its_golden_file(golden, name):
    made = STATEMENTS[name](source(name, 77))
    values = "".join(f"-- {value!r}\n" for value in made.parameters)
    golden(f"sql/{name}.sql", f"{made.text}\n{values}")


@pytest.mark.parametrize("below", [None, 77])
@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_limited_to_the_own_services_and_to_what_the_source_answers_for(name, below):
    made = STATEMENTS[name](source(name, below))
    assert "service_name IN (?, ?)" in made.text
    assert set(OWN) <= {value for value in made.parameters if isinstance(value, str)}
    assert made.text.count("?") == len(made.parameters)
    assert ("arrival < ?" in made.text and 77 in made.parameters) == (below is not None)


def test_every_builder_of_the_module_is_tried_here():
    builders = {
        name
        for name, value in vars(sql).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == "Statement" and not name.startswith("_")
    }
    assert builders <= {name for tried in STATEMENTS for name in (tried, tried.split("_")[0])}


@pytest.mark.parametrize("name", STATEMENTS)
def test_duckdb_takes_every_statement_in_a_file_and_in_memory(tmp_path, name):
    segment = Segment("1_2_a", tmp_path, 1, 2)
    with database.connect(tmp_path, 64 << 20, 1) as connection:
        database.attach(connection, segment)
        signal = Signal.LOGS if name in OF_LOGS else Signal.METRICS if name in OF_POINTS else Signal.TRACES
        connection.register("tail_0", pa.Table.from_pylist([], schema=schema.hot_schema(signal)))
        connection.register("among_0", pa.table({"arrival": pa.array([], pa.int64())}))
        for below in (None, 77):
            made = STATEMENTS[name](source(name, below))
            rows = connection.execute(made.text, list(made.parameters)).fetchall()
            assert rows == ([(0,)] if name.startswith("count") else [])
        connection.unregister("tail_0")
        connection.unregister("among_0")


@pytest.mark.parametrize(
    ("least", "greatest", "asked"),
    [
        (SECOND, 2 * SECOND - 1, []),
        (SECOND - 1, 2 * SECOND - 1, ["start_time_ns >= ?"]),
        (SECOND, 2 * SECOND, ["start_time_ns < ?"]),
        (0, 3 * SECOND, ["start_time_ns >= ?", "start_time_ns < ?"]),
    ],
)
def test_a_row_s_time_is_asked_only_where_the_bounds_leave_it_open(least, greatest, asked):
    within = replace(source("count", 77), bounds=Bounds(5, least, greatest, 0))
    made = sql.count(plan(**WINDOW), within)
    assert [part for part in ("start_time_ns >= ?", "start_time_ns < ?") if part in made.text] == asked
    assert len(made.parameters) == 1 + len(asked)


def test_without_own_services_there_is_no_such_condition():
    assert "service_name" not in sql.count(plan(), source("count", None)).text
    assert "IN" not in sql.kept(None, source("kept", None), "start_time_ns").text
    assert Names(EVERYTHING, None, None).own is None


def test_ids_are_compared_as_unsigned_words():
    text = sql.count(plan(trace_id="ff" * 16), source("count", None)).text
    assert "trace_id_high = ?::UBIGINT" in text
    assert "trace_id_low = ?::UBIGINT" in text
