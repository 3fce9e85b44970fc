"""Pages of wide rows: what one query holds is bounded, and paging shows each row once all the same."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.query import encode
from agent.query.search import Found
from agent.query.spans import SPANS
from agent.store.store import Store
from tests.agent.query.asking import SINCE, find, keep, plan
from tests.agent.store.keeping import flushed, opened, overwrite
from tests.telemetry import START, attributes, request, span

MIB = 1 << 20
WIDE, WIDTH, ROOM = 240, MIB // 8, 2 * MIB
HELD = 20 * MIB
"""The room of a page, a block, their compressed bytes, and what scrubbing holds meanwhile; the rows alone are 30 MiB."""

STEP = span(1).start_time_unix_nano - span(0).start_time_unix_nano
CARD = "4111 1111 1111 1111"


def wide(number: int, size: int = WIDTH, **more: object) -> Span:
    """A span with a text of ``size`` that no other has."""
    words = f"{number} ordinary words "
    return span(number, attributes=attributes({"text": (words * (size // len(words) + 1))[:size], **more}))


@pytest.fixture
def store(tmp_path):
    """Wide spans in two segments, one sealed; they alternate in time."""
    with opened(tmp_path) as (made, _):
        for part in (0, 1):
            for first in range(part, WIDE, 16):
                keep(made, *(wide(n, note="none" if n % 7 else CARD) for n in range(first, first + 16, 2)))
            flushed(made, seal=not part)
        yield made


def ask(store: Store, room: int | None = None, max_bytes: int = 64 * MIB, **fields: Any) -> api.QuerySpansResponse:
    wanted = plan(**SINCE, **fields)
    wanted.room = room or wanted.room
    found = find(store, wanted)
    page = encode.cut(wanted, SPANS, found, max_bytes)
    return api.QuerySpansResponse.FromString(encode.reply(api.QuerySpansResponse(), wanted, found, page))


def walk(store: Store, **fields: Any) -> list[api.QuerySpansResponse]:
    """Every page."""
    found = [ask(store, **fields)]
    while found[-1].has_more:
        assert found[-1].next_page_token, "a page that is not the last leads to the next"
        assert len(found) < 500, "the pages do not end"
        found.append(ask(store, page_token=found[-1].next_page_token, **fields))
    return found


def numbers(pages: list[api.QuerySpansResponse]) -> list[int]:
    return [(shown.start_time.ToNanoseconds() - span(0).start_time_unix_nano) // STEP for page in pages for shown in page.spans]


def peak(store: Store, **fields: Any) -> tuple[Found, int]:
    """What is found, and the most bytes that were held on the way."""
    wanted = plan(**SINCE, **fields)
    wanted.room = ROOM
    tracemalloc.start()
    try:
        found = find(store, wanted)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_page_of_wide_rows_ends_early_and_the_next_ones_have_the_others(store):
    found, held = peak(store)
    assert held < HELD
    assert 0 < len(found.rows) < WIDE
    assert (found.has_more, found.total, found.total_is_exact) == (True, WIDE, True)
    pages = walk(store, room=ROOM)
    assert numbers(pages) == list(reversed(range(WIDE)))
    assert [page.total_count for page in pages] == [WIDE] * len(pages)


def test_a_search_by_scrubbed_values_holds_no_more_either(store):
    redacted = [{"key": "note", "value": "[REDACTED:card]"}]
    found, held = peak(store, attributes=redacted)
    assert held < HELD
    wanted = [n for n in reversed(range(WIDE)) if n % 7 == 0]
    pages = walk(store, room=ROOM, attributes=redacted)
    assert numbers(pages) == wanted
    assert (found.has_more, found.total_is_exact) == (True, False)
    assert any("its records are large" in warning for warning in found.warnings)


def test_wide_origins_count_too(tmp_path):
    with opened(tmp_path) as (store, _):
        for n in range(WIDE):
            keep(store, sent=request(span(n), text=f"{n} ".ljust(WIDTH, "x")))
        found, held = peak(store)
        assert held < HELD
        assert (len(found.rows) < WIDE, found.has_more) == (True, True)
        assert numbers(walk(store, room=ROOM)) == list(reversed(range(WIDE)))


ORDERS = [api.ORDER_NEWEST, api.ORDER_OLDEST, api.ORDER_SLOWEST]
TIMES = st.lists(st.integers(0, 5), min_size=1, max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=TIMES, limit=st.integers(1, 40), room=st.sampled_from([1, 500, 3000]), order=st.sampled_from(ORDERS))
def test_however_little_room_there_is_pages_walk_the_order_of_an_unbounded_one(tmp_path_factory, times, limit, room, order):
    with opened(tmp_path_factory.mktemp("fetch")) as (store, _):
        for part in range(4):
            spans = [span(n, start_time_unix_nano=START + at) for n, at in enumerate(times)][part::4]
            if spans:
                keep(store, *spans, *spans[:1])  # the first of them twice
            if part < 3:
                flushed(store, seal=part < 2)
        whole = ask(store, order=order)
        pages = walk(store, limit=limit, room=room, order=order)
        assert [s.span_id for page in pages for s in page.spans] == [s.span_id for s in whole.spans]
        assert {page.total_count for page in pages} == {whole.total_count}


def test_the_rows_behind_a_damaged_block_are_reached(tmp_path):
    with opened(tmp_path) as (store, _):
        for part in range(3):
            keep(store, *(span(part * 10 + n) for n in range(10)))
            flushed(store, seal=True)
        broken = store.segments[-1].blocks
        overwrite(broken, broken.stat().st_size // 2, lambda old: bytes(byte ^ 4 for byte in old))
        for room in (1, MIB):
            pages = walk(store, limit=4, room=room)
            assert numbers(pages) == list(reversed(range(20)))
            assert any(store.segments[-1].name in warning for warning in pages[0].warnings)
