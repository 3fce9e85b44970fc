"""Finding: the same rows in the same order from memory and files, whatever the order, the page size and the offset."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.batch import Signal
from agent.query import search
from agent.query.fetch import Fetch
from agent.query.search import Search
from agent.query.spans import SPANS
from agent.store.flusher import Flusher
from agent.store.reader import Reading
from agent.store.remembered import OriginRow
from agent.store.segment import State
from agent.store.statement import Source, Statement
from agent.store.store import Store
from tests.agent.query.asking import DEFAULT, SINCE, answer, find, keep, plan
from tests.agent.store.keeping import StoppedClock, flushed, opened, reading
from tests.telemetry import START, attributes, request, span

ORDERS = {api.ORDER_NEWEST: True, api.ORDER_OLDEST: False, api.ORDER_SLOWEST: True}
CARD = "4111 1111 1111 1111"


def scatter(store: Store, spans: list[Span], segments: int = 4) -> None:
    """Keep spans in several segments: the first sealed, the last in memory."""
    for part in range(segments):
        if spans[part::segments]:
            keep(store, *spans[part::segments])
        if part < segments // 2:
            flushed(store, seal=True)
        else:
            store.close_segment()


def pages(store: Store, limit: int, **fields: Any) -> list[api.Span]:
    seen: list[api.Span] = []
    token = ""
    for _ in range(1000):
        page = answer(store, limit=limit, page_token=token, **fields)
        assert len(page.spans) <= limit
        seen += page.spans
        if not page.has_more:
            return seen
        token = page.next_page_token
    raise AssertionError("the pages do not end")


TIMES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=TIMES, limit=st.integers(1, 9), offset=st.integers(0, 45), order=st.sampled_from([*ORDERS]))
def test_pages_and_offsets_walk_one_order_in_which_every_row_stands_once(tmp_path_factory, times, limit, offset, order):
    spans = [
        span(n, start_time_unix_nano=START + at, end_time_unix_nano=START + at + length * 1000)
        for n, (at, length) in enumerate(times)
    ]
    with opened(tmp_path_factory.mktemp("search")) as (store, _):
        scatter(store, spans)
        whole = answer(store, **SINCE, order=order).spans
        keys = [(s.duration_us if order == api.ORDER_SLOWEST else s.start_time.ToNanoseconds(), s.position) for s in whole]
        assert keys == sorted(keys, reverse=ORDERS[order])
        assert len({s.span_id for s in whole}) == len(whole) == len(spans)
        walked = pages(store, limit, **SINCE, order=order)
        assert [s.span_id for s in walked] == [s.span_id for s in whole]
        skipped = answer(store, **SINCE, order=order, limit=limit, offset=offset)
        assert [s.span_id for s in skipped.spans] == [s.span_id for s in whole][offset : offset + limit]
        assert skipped.has_more == (offset + limit < len(whole))
        assert skipped.total_count == len(whole)


def test_arrivals_behind_the_cursor_are_not_shown_and_those_ahead_are(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, *(span(n) for n in range(10, 20)))
        first = answer(store, **SINCE, limit=5)
        keep(store, span(5), span(30))
        second = answer(store, **SINCE, limit=50, page_token=first.next_page_token)
        assert [s.start_time.nanos for s in second.spans] == sorted((s.start_time.nanos for s in second.spans), reverse=True)
        assert [int(s.span_id, 16) - 1 for s in second.spans] == [14, 13, 12, 11, 10, 5]
        assert (second.total_count, second.has_more) == (10, False)


def test_equal_rows_are_shown_once_within_a_page_and_across_pages(tmp_path):
    twice = [span(n, start_time_unix_nano=START) for n in range(12)]
    with opened(tmp_path) as (store, _):
        keep(store, *twice)
        flushed(store, seal=True)
        keep(store, *reversed(twice))
        for limit in (1, 5, 7, 24, 100):
            for order in ORDERS:
                shown = [s.span_id for s in pages(store, limit, **SINCE, order=order)]
                assert sorted(shown) == sorted(s.span_id.hex() for s in twice), (limit, order)


def test_the_total_counts_repeated_spans_whatever_the_page_and_the_page_says_so(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, span(1), span(2))
        keep(store, span(1), span(2), span(3))
        one, all_ = answer(store, **SINCE, limit=1), answer(store, **SINCE)
        assert (one.total_count, all_.total_count, len(all_.spans)) == (5, 5, 3)
        assert any("2 rows equal in every field" in warning for warning in all_.warnings)


def secrets(count: int, every: int) -> list[Span]:
    """Spans of which each ``every``th says a card number."""
    return [span(n, attributes=attributes({"note": f"card {CARD}" if n % every == 0 else "none"})) for n in range(count)]


REDACTED = {"attributes": [{"key": "note", "value": "card [REDACTED:card]"}]}


def test_a_condition_on_scrubbed_values_finds_counts_and_pages_like_any_other(tmp_path):
    with opened(tmp_path) as (store, _):
        scatter(store, secrets(60, 4))
        shown = answer(store, **SINCE).spans
        mark = {s.attributes["note"] for s in shown} - {"none"}
        (text,) = mark
        fields = {**SINCE, "attributes": [{"key": "note", "value": text}]}
        whole = answer(store, **fields)
        assert (len(whole.spans), whole.total_count, whole.total_is_exact, whole.has_more) == (15, 15, True, False)
        for limit in (1, 4, 15):
            assert [s.span_id for s in pages(store, limit, **fields)] == [s.span_id for s in whole.spans]
        offset = answer(store, **fields, limit=4, offset=13)
        assert [s.span_id for s in offset.spans] == [s.span_id for s in whole.spans[13:]]


def test_candidates_beyond_the_bound_are_reached_by_the_next_page(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "MAX_CANDIDATES", 50)
    monkeypatch.setattr(search, "CHUNK", 20)
    spans = [*secrets(1, 1), *(span(n, attributes=attributes({"note": "none"})) for n in range(1, 160))]
    with opened(tmp_path) as (store, _):
        keep(store, *spans)
        (text,) = {s.attributes["note"] for s in answer(store, **SINCE).spans} - {"none"}
        fields = {**SINCE, "attributes": [{"key": "note", "value": text}]}
        first = answer(store, **fields)
        assert not first.total_is_exact
        assert first.warnings
        assert [s.span_id for s in pages(store, 10, **fields)] == ["0" * 15 + "1"]


def test_a_plan_that_cannot_match_asks_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, *secrets(4, 1))
        found = answer(store, **SINCE, attributes=[{"key": "note", "value": f"card {CARD}"}])
        assert (len(found.spans), found.total_count, found.total_is_exact) == (0, 0, True)


def test_only_own_services_are_found_whatever_is_asked(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, span(1), span(2))
        assert len(answer(store, "checkout", **SINCE).spans) == 2
        for asked in ({}, {"service_name": "checkout"}, {"trace_id": "0" * 31 + "2"}, {"offset": 1}):
            found = answer(store, "other", **SINCE, **asked)
            assert (len(found.spans), found.total_count) == (0, 0)


@pytest.mark.parametrize("text", ["a\0b", "ünïcode 🎉", "o'clock", 'quo"te', "%_", "back\\slash", " ", "?", "\u202e"])
@pytest.mark.parametrize("seal", [False, True])
def test_any_text_is_found_by_itself(tmp_path, text, seal):
    with opened(tmp_path) as (store, _):
        keep(store, span(1, name=text, attributes=attributes({text: text})), span(2))
        if seal:
            flushed(store, seal=True)
        for fields in ({"operation_name": text}, {"attributes": [{"key": text, "value": text}]}):
            assert [s.operation_name for s in answer(store, **SINCE, **fields).spans] == [text]


@pytest.mark.parametrize("seal", [False, True])
def test_every_bit_of_a_trace_id_counts(tmp_path, seal):
    noise = random.Random(5)
    wanted = [noise.randbytes(16) for _ in range(8)] + [
        b"\xff" * 16,
        b"\0" * 15 + b"\1",
        b"\1" + b"\0" * 15,
        b"\x80" + b"\0" * 15,
    ]
    with opened(tmp_path) as (store, _):
        keep(store, *(span(n, trace_id=trace_id) for n, trace_id in enumerate(wanted)))
        if seal:
            flushed(store, seal=True)
        for trace_id in wanted:
            assert [s.trace_id for s in answer(store, trace_id=trace_id.hex()).spans] == [trace_id.hex()]


def test_an_unreadable_segment_is_named_and_the_others_answer(tmp_path):
    with opened(tmp_path) as (store, _):
        keep(store, span(1))
        flushed(store, seal=True)
        keep(store, span(2))
        broken = store.segments[0]
        for table in ("spans", "origins"):
            store.connection.execute(f"DROP TABLE {broken.alias}.{table}")
            broken.origins.clear()
            found = find(store, plan(**SINCE))
            assert [row["name"] for row in found.rows] == ["operation 2"]
            assert [broken.name in warning for warning in found.warnings] == [True]


class Retiring(Reading):
    """A reading whose oldest sealed segment is retired after its rows have been read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, store.connection.cursor())
        self.store = store

    def origins(self, segment: str, hashes: Collection[int]) -> list[OriginRow]:
        for sealed in [s for s in self.store.segments if s.state is State.SEALED]:
            Flusher(self.store).retire(sealed, "age")
        return super().origins(segment, hashes)


def test_a_segment_retired_between_its_rows_and_their_origins_costs_no_more_than_its_rows(tmp_path):
    # It was a KeyError: rows had been read, their origins were gone with the file, and the whole query failed.
    clock = StoppedClock()
    with opened(tmp_path, clock) as (store, _):
        keep(store, sent=request(span(1), service="another"))
        flushed(store, seal=True)
    with opened(tmp_path, clock) as (store, _):
        keep(store, span(2))
        one = Retiring(store)
        found = Search(plan(**SINCE), SPANS, one, DEFAULT).run()
        one.close()
        assert [row["name"] for row in found.rows] == ["operation 2"]


def test_segments_that_cannot_hold_a_better_row_are_not_asked(tmp_path):
    asked: list[str] = []

    class Counting(Reading):
        def select(self, source: Source, statement: Statement, *within: Any, **named: Any) -> list[tuple[Any, ...]]:
            asked.append(source.segment)
            return super().select(source, statement, *within, **named)

    with opened(tmp_path) as (store, _):
        for part in range(4):
            keep(store, *(span(part * 10 + n) for n in range(10)))
            store.close_segment()
        one = Counting(store, store.connection.cursor())
        fetched = Fetch(plan(**SINCE), SPANS, one, DEFAULT).behind(None, 3, 1 << 20)
        one.close()
        assert (len(fetched.rows), fetched.more) == (3, True)
        assert asked == [store.segments[-1].name]
        with reading(store) as whole:
            assert len(whole.sources(Signal.TRACES)) == 4
