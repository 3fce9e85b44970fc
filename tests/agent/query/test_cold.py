"""Conditions on cold columns, in memory and in files alike; and an answer that lacks rows says so."""

from __future__ import annotations

from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Batch, Export, Signal
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.query import encode
from agent.query.kept import inventory
from agent.query.logs import LOGS
from agent.query.names import NamesSearch
from agent.query.plan import Plan
from agent.query.search import Search
from agent.query.series import find_series
from agent.query.spans import SPANS
from agent.store.cold import places_in
from agent.store.reader import Reading
from agent.store.statement import Source, Statement
from agent.store.store import Store
from tests.agent.query.asking import DEFAULT, NOW, SINCE, answer, find, keep, plan, planner
from tests.agent.store.keeping import NO_REQUESTS, flushed, opened, overwrite, reading
from tests.telemetry import START, any_value, attributes, gauge, log, log_request, metric_request, span

SCRUBBERS = dict.fromkeys(Signal, DEFAULT)
PLACES = pytest.mark.parametrize("seal", [False, True], ids=["in memory", "sealed"])


def keep_logs(store: Store, *bodies: str) -> None:
    payload = log_request(*(log(n, body=any_value(body)) for n, body in enumerate(bodies))).SerializeToString()
    decoded = log_decoder(lambda _: True).decode([Export(Signal.LOGS, payload, len(bodies))], NOW)
    assert decoded.batch is not None
    store.append([decoded.batch], NO_REQUESTS)


def points(*numbers: int, host: str = "a") -> Batch:
    payload = metric_request(gauge("load", *numbers, attributes=attributes({"host": host}))).SerializeToString()
    decoded = point_decoder(lambda _: True).decode([Export(Signal.METRICS, payload, len(numbers))], NOW)
    assert decoded.batch is not None
    return decoded.batch


def log_plan(**fields: Any) -> Plan:
    return planner().logs(api.QueryLogsRequest(**SINCE, **fields), NOW)


def bodies(store: Store, **fields: Any) -> list[str]:
    wanted = log_plan(**fields)
    with reading(store) as one:
        found = Search(wanted, LOGS, one, DEFAULT).run()
        page = encode.cut(wanted, LOGS, found, 4 << 20)
        reply = encode.reply(api.QueryLogsResponse(), wanted, found, page)
    return [record.body for record in api.QueryLogsResponse.FromString(reply).log_records]


@PLACES
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pipe", ["pipe", "broken PIPE"]),
        ("BROKEN", ["broken", "broken PIPE"]),
        ("οδυσσεύσ", ["ΟΔΥΣΣΕΎΣ"]),
        ("pipebroken", []),
        ("e", ["broken", "pipe", "broken PIPE"]),
    ],
)
def test_text_is_found_in_the_bodies_of_records_alone_one_by_one(tmp_path, seal, text, shown):
    sent = ["broken PIPE", "pipe", "broken", "ΟΔΥΣΣΕΎΣ"]
    with opened(tmp_path) as (store, _):
        keep_logs(store, *sent)
        if seal:
            flushed(store, seal=True)
        assert bodies(store, text=text) == shown


@PLACES
def test_conditions_on_hot_and_cold_columns_are_met_together_and_counted(tmp_path, seal):
    with opened(tmp_path) as (store, _):
        keep(store, *(span(n, name=f"n{n % 2}", attributes=attributes({"third": n % 3})) for n in range(30)))
        if seal:
            flushed(store, seal=True)
        found = answer(store, **SINCE, operation_name="n1", attributes=[{"key": "third", "value": "2"}], limit=2)
        assert [int(s.span_id, 16) - 1 for s in found.spans] == [29, 23]
        assert (found.total_count, found.has_more) == (5, True)


def damage(store: Store, signal: Signal) -> str:
    """Break the only block that a signal has in the oldest segment; the segment."""
    segment = store.segments[0]
    (place,) = places_in(segment.blocks)[signal]
    overwrite(segment.blocks, place.offset + place.size // 2, lambda old: bytes(byte ^ 1 for byte in old))
    return segment.name


@pytest.mark.parametrize("fields", [{}, {"attributes": [{"key": "k", "value": "v"}]}, {"order": api.ORDER_SLOWEST}])
def test_a_damaged_block_is_named_and_the_other_rows_are_shown(tmp_path, fields):
    with opened(tmp_path) as (store, _):
        keep(store, span(1, attributes=attributes({"k": "v"})))
        flushed(store, seal=True)
        keep(store, span(2, attributes=attributes({"k": "v"})))
        name = damage(store, Signal.TRACES)
        found = find(store, plan(**SINCE, **fields))
        assert [row["name"] for row in found.rows] == ["operation 2"]
        assert found.warnings == [f"a block of segment {name} could not be read; its rows are missing from this answer"]
        assert find(store, plan(**SINCE, trace_id=f"{3:032x}")).warnings == [], "where nobody looked nothing is missing"


@pytest.mark.parametrize("order", [api.ORDER_NEWEST, api.ORDER_SLOWEST], ids=["found by the count", "found by the page"])
def test_a_total_by_attribute_leaves_out_a_damaged_block_and_says_so(tmp_path, order):
    with opened(tmp_path) as (store, _):
        for numbers in (range(4), range(4, 7)):
            keep(store, *(span(n, start_time_unix_nano=START + n, attributes=attributes({"k": "v"})) for n in numbers))
            flushed(store, seal=True)
        name = damage(store, Signal.TRACES)
        found = find(store, plan(**SINCE, order=order, attributes=[{"key": "k", "value": "v"}], limit=1))
        assert (len(found.rows), found.total, found.has_more) == (1, 3, True)
        assert found.warnings == [f"a block of segment {name} could not be read; its rows are missing from this answer"]


def test_a_total_by_attribute_leaves_out_a_segment_whose_file_does_not_answer(tmp_path):
    with opened(tmp_path) as (store, _):
        for numbers in (range(4), range(4, 7)):
            keep(store, *(span(n, start_time_unix_nano=START + n, attributes=attributes({"k": "v"})) for n in numbers))
            flushed(store, seal=True)
        name = store.segments[0].name
        with reading(store) as one:
            wanted = plan(**SINCE, order=api.ORDER_OLDEST, attributes=[{"key": "k", "value": "v"}], limit=1)
            search = Search(wanted, SPANS, one, DEFAULT)
            store.connection.execute(f"DETACH {store.segments[0].alias}")
            store.segments[0].attached = False
            found = search.run()
        assert (len(found.rows), found.total, found.has_more) == (1, 3, True)
        assert found.warnings == [f"segment {name} could not be read; its rows are missing from this answer"]


def test_a_damaged_block_of_points_is_named_by_series_and_names(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([points(1, 2, host="a")], NO_REQUESTS)
        flushed(store, seal=True)
        store.append([points(3, host="b")], NO_REQUESTS)
        name = damage(store, Signal.METRICS)
        step = api.QueryMetricsRequest(**SINCE, step={"seconds": 60}, end_time={"seconds": START // 10**9 + 60})
        step.start_time.seconds = START // 10**9
        with reading(store) as one:
            series = find_series(planner().points(step, NOW), one, DEFAULT)
        assert [dict(s.attributes) for s in series.series] == [{"host": "b"}]
        assert series.warnings == [f"a block of segment {name} could not be read; its points are missing from this answer"]
        with reading(store) as one:
            names = NamesSearch(planner().names(api.ListNamesRequest(**SINCE), NOW), one, SCRUBBERS).run()
        assert [(m.name, m.description, m.data_points) for m in names.metrics] == [
            ("load", "", 2),
            ("load", "what load measures", 1),
        ]
        assert list(names.warnings) == [f"a block of segment {name} could not be read; names may be missing from this answer"]


def test_series_that_differ_in_an_attribute_alone_are_two(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([points(1, 2, host="a")], NO_REQUESTS)
        flushed(store, seal=True)
        store.append([points(3, host="a")], NO_REQUESTS)
        store.append([points(4, host="b")], NO_REQUESTS)
        step = api.QueryMetricsRequest(start_time={"seconds": START // 10**9}, step={"seconds": 60})
        step.end_time.seconds = step.start_time.seconds + 60
        with reading(store) as one:
            found = find_series(planner().points(step, NOW), one, DEFAULT)
        assert [(s.attributes["host"], s.steps[0].points, s.steps[0].last) for s in found.series] == [("a", 3, 3), ("b", 1, 4)]


class Watched(Reading):
    """A reading that tells which segments it was asked about."""

    def __init__(self, store: Store, **remembered: Any) -> None:
        super().__init__(store, store.connection.cursor(), **remembered)
        self.asked: list[str] = []

    def select(self, source: Source, statement: Statement, *within: Any, **named: Any) -> list[tuple[Any, ...]]:
        self.asked.append(source.segment)
        return super().select(source, statement, *within, **named)


def test_a_sealed_segment_without_a_trace_is_not_asked_for_it(tmp_path):
    with opened(tmp_path) as (store, _):
        for n in range(3):
            keep(store, span(n, trace_id=bytes([n + 1]) * 16))
            flushed(store, seal=True)
        one = Watched(store)
        found = Search(plan(trace_id="02" * 16), LOGS, one, DEFAULT)
        assert {source.segment for source in found._fetch.sources} == {store.segments[1].name}
        one.close()
        assert [s.trace_id for s in answer(store, trace_id="02" * 16).spans] == ["02" * 16]
        assert set(one.asked) <= {store.segments[1].name}


def test_what_a_sealed_segment_answered_is_remembered_and_what_still_grows_is_not(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, span(1))
        flushed(store, seal=True)
        keep(store, span(2))
        remembered = Reading(store, store.connection.cursor())._remembered
        counts = []
        for n in (3, 4):
            one = Watched(store, remembered=remembered)
            (rows,) = {s.rows for s in inventory(one, None, SCRUBBERS).services[Signal.TRACES].values()}
            counts.append((rows, one.asked.count(store.segments[0].name)))
            one.close()
            keep(store, span(n))
        assert counts == [(2, 1), (3, 0)]
