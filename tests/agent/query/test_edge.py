"""A part of a source is looked through first, or counted alone: what a page shows, and its total, do not depend on it."""

from __future__ import annotations

from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.query.edge import edge_of
from agent.query.page import Position
from agent.query.search import Search
from agent.query.spans import SPANS
from agent.store.reader import Reading
from agent.store.remembered import Remembered
from agent.store.segment import Bounds
from tests.agent.query.asking import DEFAULT, SINCE, find, keep, plan
from tests.agent.store.keeping import flushed, opened
from tests.telemetry import SECOND, START, attributes, request, span

HOUR = Bounds(3600, START, START + 3600 * SECOND, 0)
"""A row a second."""

BOTH_WAYS = pytest.mark.parametrize("order", [api.ORDER_NEWEST, api.ORDER_OLDEST], ids=["newest", "oldest"])
SERVICES = ("often", "seldom", "never")
HOW = st.sampled_from(["by service", "by attribute", "by both"])
ROWS = 2000


def test_so_many_rows_lie_between_an_end_and_the_edge():
    assert edge_of(plan(**SINCE), HOUR, None, 100) == START + 3500 * SECOND
    assert edge_of(plan(order=api.ORDER_OLDEST, **SINCE), HOUR, None, 100) == START + 100 * SECOND


def test_behind_a_position_and_within_a_window_they_are_counted_from_there():
    begin = START + 400 * SECOND
    at = Position(START + 1000 * SECOND, 7)
    window: dict[str, Any] = {"start_time": {"seconds": begin // SECOND, "nanos": begin % SECOND}}
    assert edge_of(plan(**window), HOUR, at, 100) == START + 900 * SECOND
    assert edge_of(plan(order=api.ORDER_OLDEST, **window), HOUR, None, 100) == START + 500 * SECOND
    assert edge_of(plan(order=api.ORDER_OLDEST, **window), HOUR, at, 100) == START + 1100 * SECOND


@pytest.mark.parametrize(
    ("fields", "rows"),
    [({}, 1800), ({"order": api.ORDER_SLOWEST}, 10), ({"trace_id": "ab" * 16}, 10), ({"end_time": {"seconds": 2}}, 10)],
    ids=["half of all", "the slowest", "a trace", "nothing in the window"],
)
def test_where_a_part_is_no_help_there_is_no_edge(fields, rows):
    assert edge_of(plan(**SINCE, **fields), HOUR, None, rows) is None


def test_neither_is_there_one_without_rows():
    assert edge_of(plan(**SINCE), Bounds(), None, 10) is None


def one_of(service: str, number: int) -> Span:
    """A span of a service, which an attribute names too; its time in seconds is its number."""
    return span(number, start_time_unix_nano=START + number * SECOND, attributes=attributes({"of": service}))


def asking(service: str, how: str) -> dict[str, Any]:
    """The fields of a request for the spans of a service."""
    by_service: dict[str, Any] = {"service_name": service}
    by_attribute: dict[str, Any] = {"attributes": [{"key": "of", "value": service}]}
    return {"by service": by_service, "by attribute": by_attribute, "by both": by_service | by_attribute}[how]


ASKED = st.builds(asking, st.sampled_from(SERVICES), HOW)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One in eight rows is of a service that is there only in the first half; some lie in a file, some in memory."""
    with opened(tmp_path_factory.mktemp("edge")) as (made, _):
        for first in range(0, ROWS, 500):
            rows = [n ^ 3 for n in range(first, first + 500)]
            for service, some in (("often", rows[::2]), ("seldom", rows[1::2] if first < ROWS // 2 else [])):
                if some:
                    keep(made, sent=request(*(one_of(service, n) for n in some), service=service))
            if first == 1000:
                flushed(made)
        yield made


@BOTH_WAYS
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=ASKED,
    limit=st.integers(1, 30),
    end=st.none() | st.integers(0, ROWS),
    after=st.none() | st.integers(0, ROWS),
)
def test_a_page_is_what_looking_through_all_of_it_gives(store, order, asked, limit, end, after):
    fields: dict[str, Any] = {**asked, "order": order, **SINCE}
    if end is not None:
        fields["end_time"] = {"seconds": START // SECOND + end}
    everything = [row["start_time_ns"] for row in find(store, plan(limit=1000, **fields)).rows]
    wanted = plan(limit=limit, **fields)
    if after is not None:
        wanted.after = Position(START + after * SECOND, 0 if order == api.ORDER_NEWEST else 2**62)
        key = wanted.after.key
        everything = [time for time in everything if (time < key if order == api.ORDER_NEWEST else time > key)]
    found = find(store, wanted)
    assert everything[:limit] == [row["start_time_ns"] for row in found.rows]
    assert found.has_more == (len(everything) > limit)


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Rows a second apart, one in three of a service, in a sealed segment and in one that grows; and what is remembered of it."""
    with opened(tmp_path_factory.mktemp("counted")) as (made, _):
        for first in (0, 300):
            rows = range(first, first + 300)
            for service, some in (("third", rows[::3]), ("others", [n for n in rows if n % 3])):
                keep(made, sent=request(*(one_of(service, n) for n in some), service=service))
            flushed(made, seal=not first)
        yield made, Remembered()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-1, 600), st.none() | st.integers(0, 600), st.sampled_from(["third", "others"]), HOW)
def test_a_total_is_that_of_the_window_wherever_it_begins(counted, begin, length, service, how):
    store, remembered = counted
    fields: dict[str, Any] = {**asking(service, how), "limit": 1, "start_time": {"seconds": START // SECOND + begin}}
    end = 600 if length is None else begin + length
    if length is not None:
        fields["end_time"] = {"seconds": START // SECOND + max(end, begin + 1)}
        end = max(end, begin + 1)
    there = [n for n in range(max(begin, 0), min(end, 600)) if (n % 3 == 0) == (service == "third")]
    one = Reading(store, store.connection.cursor(), remembered)
    found = Search(plan(**fields), SPANS, one, DEFAULT).run()
    one.close()
    assert (len(there), len(there) > 1) == (found.total, found.has_more)


@pytest.mark.parametrize("own", [(), ("third",), ("third", "others")])
def test_a_total_by_attribute_is_of_the_services_that_may_be_shown(counted, own):
    store, _ = counted
    for service, rows in (("third", 200), ("others", 400)):
        found = find(store, plan(*own, limit=1, **asking(service, "by attribute"), **SINCE))
        assert found.total == (rows if not own or service in own else 0)
