"""Long names, units and keys: what one question holds is bounded, whatever they are, and nothing is lost by it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Export, Signal
from agent.clock import MINUTE_NS
from agent.decode.points import point_decoder
from agent.query import names, parts
from agent.query.names import NamesSearch
from agent.query.series import FoundSeries, find_series
from agent.query.summaries import Summing, asked_of
from agent.services import OwnServices
from agent.store.reader import Reading
from agent.store.store import Store
from tests.agent.query.asking import DEFAULT, NOW, SINCE, find, keep, plan, planner
from tests.agent.query.test_fetch import ask, numbers, walk
from tests.agent.store.keeping import NO_REQUESTS, flushed, opened, reading
from tests.telemetry import SECOND, START, attributes, gauge, metric_request, span

KIB = 1 << 10
MIB = 1 << 20
LONG = 16_000
COUNT = 640
ROOM = MIB // 2
HELD = 6 * MIB
"""A room of raw rows and one of scrubbed ones, ``ROWS_AT_ONCE`` rows, a block of cold columns. All names are 10 MB."""

Result = TypeVar("Result")


def long(number: int, size: int = LONG) -> str:
    """A text that no other number has."""
    words = f"{number} ordinary words "
    return (words * (size // len(words) + 1))[:size]


def keep_gauges(store: Store, *made: Any) -> None:
    payload = metric_request(*made).SerializeToString()
    decoded = point_decoder(lambda _: True).decode([Export(Signal.METRICS, payload, len(made))], NOW)
    assert decoded.batch is not None
    store.append([decoded.batch], NO_REQUESTS)


def held(store: Store, work: Callable[[Reading], Result]) -> tuple[Result, int]:
    """What a question finds, and the most bytes that were held on the way."""
    with reading(store) as one:
        tracemalloc.start()
        try:
            return work(one), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.fixture
def spans(tmp_path):
    """Spans with long names in three places, which alternate in time: a sealed segment, a file that grows, memory."""
    with opened(tmp_path) as (store, _):
        for part in range(3):
            for first in range(part, COUNT, 60):
                keep(store, *(span(n, name=long(n)) for n in range(first, min(first + 60, COUNT), 3)))
            if part < 2:
                flushed(store, seal=part == 0)
        yield store


@pytest.mark.parametrize("order", [api.ORDER_NEWEST, api.ORDER_OLDEST])
def test_a_page_of_long_names_ends_early_and_the_next_ones_have_the_others(spans, order):
    wanted = plan(**SINCE, order=order)
    wanted.room = ROOM
    tracemalloc.start()
    found = find(spans, wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < HELD
    assert (0 < len(found.rows) < COUNT // 4, found.has_more, found.total) == (True, True, COUNT)

    pages = walk(spans, room=ROOM, order=order)
    shown = list(range(COUNT))
    assert numbers(pages) == (shown if order == api.ORDER_OLDEST else shown[::-1])
    assert {page.total_count for page in pages} == {COUNT}
    assert {s.operation_name for page in pages for s in page.spans} == {long(n) for n in shown}
    assert not list(pages[-1].warnings)


def test_usual_names_end_no_page(spans):
    keep(spans, *(span(n) for n in range(COUNT, COUNT + 1000)))
    assert len(ask(spans, room=ROOM * 4).spans) == 1000


def test_a_list_of_long_names_is_bounded_and_says_that_not_all_are_counted(spans):
    asked = planner().names(api.ListNamesRequest(**SINCE), NOW)
    found, peak = held(spans, lambda one: NamesSearch(asked, one, dict.fromkeys(Signal, DEFAULT), ROOM).run())
    assert peak < HELD
    assert 10 < len(found.operations) < COUNT // 4
    assert {o.spans for o in found.operations} == {1}
    assert [w for w in found.warnings if "long ones" in w] == list(found.warnings)


def test_raw_names_that_are_few_when_scrubbed_are_counted_however_long_they_are(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in range(0, COUNT, 64):
            keep(store, *(span(n, name=f"{'x' * LONG} u{n}@example.com") for n in range(first, first + 64)))
        flushed(store)
        asked = planner().names(api.ListNamesRequest(**SINCE), NOW)
        found, peak = held(store, lambda one: NamesSearch(asked, one, dict.fromkeys(Signal, DEFAULT), ROOM).run())
    assert peak < HELD
    assert [(len(o.name), o.spans) for o in found.operations] == [(LONG + len(" [REDACTED:email]"), COUNT)]
    assert not list(found.warnings)


def test_long_attributes_and_descriptions_are_looked_at_some_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "NEWEST_RECORDS", 500)
    wide = 256 * KIB
    with opened(tmp_path) as (store, _):
        for n in range(400):
            keep(store, span(n, attributes=attributes({"k": long(n, wide)})))
            metric = gauge(f"m{n}", 1)
            metric.description = long(n, wide)
            keep_gauges(store, metric)
            if n % 100 == 99:
                flushed(store, seal=True)
        asked = planner().names(api.ListNamesRequest(**SINCE), NOW)
        found, peak = held(store, lambda one: NamesSearch(asked, one, dict.fromkeys(Signal, DEFAULT), 2 * MIB).run())
    assert peak < 48 * MIB  # a room, and blocks of 4 MiB with what decoding takes; all together are 200 MiB
    assert [(k.key, k.records) for k in found.attribute_keys] == [("k", 400)]
    assert 5 < len(found.metrics) < 20
    assert [w for w in found.warnings if "long ones" in w] == list(found.warnings)


def series(store: Store, room: int) -> tuple[FoundSeries, int]:
    asked = api.QueryMetricsRequest(start_time={"seconds": START // SECOND}, step={"seconds": 60})
    asked.end_time.seconds = asked.start_time.seconds + 60
    wanted = planner().points(asked, NOW)
    wanted.room = room
    return held(store, lambda one: find_series(wanted, one, DEFAULT))


@pytest.mark.parametrize(("name", "attribute", "most"), [(LONG, 0, HELD), (1, 4 * LONG, 20 * MIB)])
def test_series_with_long_names_or_attributes_are_bounded_and_say_so(tmp_path, name, attribute, most):
    with opened(tmp_path) as (store, _):
        for first in range(0, COUNT, 20):
            some = range(first, first + 20)
            keep_gauges(
                store, *(gauge(long(n, name), n, attributes=attributes({"n": n, "k": long(n, attribute)})) for n in some)
            )
            if first % 160 == 140:
                flushed(store, seal=True)
        bounded, peak = series(store, ROOM if name > 1 else 4 * ROOM)
        whole, _ = series(store, 64 * MIB)
    assert peak < most
    assert 10 < len(bounded.series) < COUNT // 4
    assert (bounded.is_exact, whole.is_exact, len(whole.series)) == (False, True, COUNT)


def test_series_of_many_wide_resources_are_found_all(tmp_path):
    with opened(tmp_path) as (store, _):
        for n in range(150):
            payload = metric_request(gauge("m", n), text=long(n)).SerializeToString()
            decoded = point_decoder(lambda _: True).decode([Export(Signal.METRICS, payload, 1)], NOW)
            assert decoded.batch is not None
            store.append([decoded.batch], NO_REQUESTS)
        found, _ = series(store, 16 * MIB)
    assert (len(found.series), found.is_exact, list(found.warnings)) == (150, True, [])


def summed(store: Store, room: int, max_bytes: int = 4 * MIB) -> tuple[api.QuerySpanSummariesResponse, int]:
    asked = asked_of(api.QuerySpanSummariesRequest(), START + MINUTE_NS, OwnServices.of(()), DEFAULT)
    return held(store, lambda one: Summing(asked, one, DEFAULT, room).run(max_bytes))


def test_summaries_of_long_names_count_the_rest_together(spans):
    found, peak = summed(spans, ROOM)
    assert peak < HELD
    named, rest = ([s for s in found.summaries if s.is_rest == is_rest] for is_rest in (False, True))
    assert 10 < len(named) < COUNT // 4
    assert sum(s.count for s in named) + sum(s.count for s in rest) == COUNT
    assert all(bool(s.operation_name) != s.is_rest for s in found.summaries)


def test_a_minute_of_long_names_fits_a_reply(spans):
    found, _ = summed(spans, 64 * MIB, max_bytes=MIB)
    assert found.ByteSize() < MIB
    assert sum(s.count for s in found.summaries) == COUNT


def test_a_group_that_alone_is_larger_than_the_room_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "FINEST", 4)
    with opened(tmp_path) as (store, _):
        keep(store, *(span(n, name=long(n)) for n in range(20)))
        asked = planner().names(api.ListNamesRequest(**SINCE), NOW)
        with reading(store) as one:
            search = NamesSearch(asked, one, dict.fromkeys(Signal, DEFAULT), MIB)
            monkeypatch.setattr(names, "in_parts", lambda ask, most, _, texts: parts.in_parts(ask, most, 1, texts))
            assert len(search.run().operations) == 20
