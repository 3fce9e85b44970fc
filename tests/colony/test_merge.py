"""Many agents' rows in one order: the same in whatever order they answered, each row once, page after page."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.merge import Merge, Page, Place, Shown, Stream, behind, content
from colony.signals import LOGS, SPANS, Row, is_descending, span_duration_ns, time_ns
from tests.colony.rows import START, at, log, span

ORDERS = st.sampled_from([api.ORDER_NEWEST, api.ORDER_OLDEST, api.ORDER_SLOWEST])
TIMES = st.integers(0, 6)


def key(row: api.Span, order: int) -> int:
    return span_duration_ns(row) if order == api.ORDER_SLOWEST else time_ns(row.start_time)


def in_order(rows: list[Row], order: int) -> list[Row]:
    return sorted(rows, key=lambda row: (key(row, order), row.position), reverse=is_descending(order))


def spans_of(times: list[tuple[int, int]], agent: str) -> list[api.Span]:
    """Spans that differ between agents, unless the time is even: then every agent has the same."""
    return [
        span(f"{start}.{took}" if start % 2 == 0 else f"{agent}{number}", START + start, took, position=number + 1)
        for number, (start, took) in enumerate(times)
    ]


AGENTS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    # Within one agent equal spans are shown once already.
    st.lists(st.tuples(TIMES, TIMES), max_size=8, unique=True),
    min_size=1,
).map(lambda found: {agent: spans_of(times, agent) for agent, times in found.items()})


def merged(agents: dict[str, list[api.Span]], order: int, limit: int) -> Page:
    return Merge(SPANS, order, limit).run({name: Stream(name, in_order(rows, order)) for name, rows in agents.items()})


@given(AGENTS, ORDERS, st.integers(1, 30), st.randoms())
def test_the_answer_is_the_same_in_whatever_order_agents_answered(agents, order, limit, chance: random.Random):
    names = list(agents)
    chance.shuffle(names)

    first, second = merged(agents, order, limit), merged({name: agents[name] for name in names}, order, limit)

    assert first == second


@given(AGENTS, ORDERS)
def test_all_rows_are_shown_in_order_and_those_equal_at_several_agents_once(agents, order):
    page = merged(agents, order, 100)

    keys = [key(sent.row, order) for sent in page.rows]
    assert sorted(keys, reverse=is_descending(order)) == keys
    assert {content(row) for rows in agents.values() for row in rows} == {content(sent.row) for sent in page.rows}
    assert len(page.rows) == len({content(sent.row) for sent in page.rows})
    assert sum(map(len, agents.values())) == len(page.rows) + page.repeated
    assert not page.has_more


@dataclass
class Agent:
    """An agent that keeps rows, forgets the oldest, and sends pages of its own size."""

    rows: list[Row] = field(default_factory=list)
    page: int = 3
    knows_after: bool = True
    arrived: int = 0

    def add(self, row: Row) -> None:
        self.arrived += 1
        row.position = self.arrived
        self.rows.append(row)

    def answer(self, order: int, limit: int, after: Place | None) -> tuple[list[Row], bool]:
        found = in_order(self.rows, order)
        if after is not None and self.knows_after:
            found = [
                row for row in found if after.is_before(Place(key(row, order), row.position), descending=is_descending(order))
            ]
        size = min(limit, self.page)
        return found[:size], len(found) > size


def pages(agents: dict[str, Agent], order: int, limit: int, between) -> list[list[Row]]:
    """Page after page as the orchestrator asks for them."""
    places: dict[str, Place | None] = dict.fromkeys(agents)
    shown: tuple[Shown, ...] = ()
    boundary, found = None, []
    while True:
        streams = {}
        for name, place in places.items():
            rows, more = agents[name].answer(order, limit, place)
            streams[name] = Stream(name, behind(rows, place, SPANS, order) if place else rows, more, last=place)
        merge = Merge(SPANS, order, limit, boundary, shown)
        page = merge.run(streams)
        while page.dry:
            for name in page.dry:
                # The agent's own token, or the place of the last row that it sent.
                last = streams[name].rows[-1] if streams[name].rows else None
                place = Place(key(last, order), last.position) if last else places[name]
                assert place is not None
                rows, more = agents[name].answer(order, limit, place)
                streams[name].extend(behind(rows, place, SPANS, order), has_more=more)
            page = merge.run(streams)
        found.append([sent.row for sent in page.rows])
        places = {n: s.last or places[n] for n, s in streams.items() if s.used < len(s.rows) or s.has_more}
        boundary, shown = page.boundary, page.shown
        if not page.has_more:
            return found
        between()


@settings(max_examples=200)
@given(AGENTS, ORDERS, st.integers(1, 4), st.integers(1, 4), st.lists(st.tuples(TIMES, TIMES), max_size=6), st.randoms())
def test_every_row_is_shown_once_while_data_arrives_and_expires(agents, order, limit, size, arriving, chance):
    live = {name: Agent(page=size) for name in agents}
    for name, rows in agents.items():
        for row in rows:
            live[name].add(row)
    kept = {name: [content(row) for row in agent.rows] for name, agent in live.items()}
    late = [span(f"late{number}", START + start, took) for number, (start, took) in enumerate(arriving)]

    def between() -> None:
        name = chance.choice(sorted(live))
        if late:
            live[name].add(late.pop())
        if live[name].rows and chance.random() < 0.3:
            gone = live[name].rows.pop(0)
            if content(gone) in kept[name]:
                kept[name].remove(content(gone))

    shown = Counter(content(row) for page in pages(live, order, limit, between) for row in page)

    assert max(shown.values(), default=1) == 1
    assert {what for rows in kept.values() for what in rows} <= set(shown), "what was there all the time is shown"


def test_nothing_is_shown_behind_rows_that_an_agent_has_yet_to_send():
    streams = {
        "a": Stream("a", [span("a", START + 9)], has_more=True),
        "b": Stream("b", [span("b", START + 5), span("c", START + 4)]),
    }
    merge = Merge(SPANS, api.ORDER_NEWEST, 10)

    assert (merge.run(streams).dry, [sent.row.operation_name for sent in merge.page.rows]) == (("a",), ["a"])
    streams["a"].extend([span("d", START + 4, position=2)], has_more=False)
    assert [sent.row.operation_name for sent in merge.run(streams).rows] == ["a", "b", "d", "c"]


def test_rows_of_a_clock_that_is_ahead_stand_where_they_happened():
    minutes = 5 * 60 * 10**9
    streams = {
        "ahead": Stream("ahead", [span("second", START + minutes + 2)], shift_ns=minutes),
        "right": Stream("right", [span("third", START + 3), span("first", START + 1)]),
    }

    page = Merge(SPANS, api.ORDER_NEWEST, 10).run(streams)

    assert [sent.row.operation_name for sent in page.rows] == ["third", "second", "first"]
    assert page.boundary == START + 1


def test_log_records_equal_at_two_agents_count_as_often_as_at_the_one_that_has_most():
    streams = {"a": Stream("a", [log("x")]), "b": Stream("b", [log("x"), log("x"), log("y")])}

    page = Merge(LOGS, api.ORDER_NEWEST, 10).run(streams)

    assert Counter(x=2, y=1) == Counter(sent.row.body for sent in page.rows)


def test_a_record_without_times_stands_by_its_arrival_and_else_where_its_agent_put_it():
    records = [log("1", START + 9), log("2", None, arrival_time=at(START + 8)), log("3", None), log("5", START + 1)]
    streams = {"a": Stream("a", records), "b": Stream("b", [log("4", START + 2)])}

    page = Merge(LOGS, api.ORDER_NEWEST, 10).run(streams)

    assert [sent.row.body for sent in page.rows] == ["1", "2", "3", "4", "5"]


def test_a_thousand_spans_of_ten_agents_are_merged_by_their_keys_alone():
    agents = {f"a{n}": [span(f"{n}.{i}", START - i * 10 - n) for i in range(1000)] for n in range(10)}

    page = Merge(SPANS, api.ORDER_NEWEST, 1000).run({name: Stream(name, rows) for name, rows in agents.items()})

    assert [START - i for i in range(1000)] == [time_ns(sent.row.start_time) for sent in page.rows]
    assert page.has_more
