"""Records as they come in: shown once, found when they are late, until Ctrl-C."""

from __future__ import annotations

import itertools
import json
from typing import Any

import grpc
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import follow
from agent.cli.follow import LATE_NS, Memory
from agent.clock import SystemClock
from tests.agent.cli.answering import FixedAgent, typed
from tests.agent.cli.telemetry import NOON_NS, at, record, span

SECOND = 1_000_000_000


def memory(since_seconds: float = -10) -> Memory[api.LogRecord]:
    def time_of(found: api.LogRecord) -> Any:
        return found.time if found.HasField("time") else None

    return Memory(time_of, NOON_NS, NOON_NS + round(since_seconds * SECOND))


def arrived(position: int, seconds: float) -> api.LogRecord:
    return record(offset_ms=seconds * 1000, position=position)


def positions(records: list[api.LogRecord]) -> list[int]:
    return [found.position for found in records]


def test_the_next_poll_looks_back_behind_the_beginning_of_the_one_before():
    known = memory()
    assert known.start_ns == NOON_NS - LATE_NS

    known.turn(NOON_NS + 3 * SECOND)

    assert known.start_ns == NOON_NS + 3 * SECOND - LATE_NS


def test_what_was_shown_is_not_shown_again_and_what_is_late_is():
    known = memory()
    assert positions(known.fresh([arrived(1, 0), arrived(2, 1)], NOON_NS)) == [1, 2]
    known.turn(NOON_NS + SECOND)

    assert positions(known.fresh([arrived(3, -8), arrived(1, 0), arrived(2, 1)], NOON_NS + SECOND)) == [3]


def test_a_short_look_back_shows_what_arrives_late_but_not_what_was_there():
    known = memory(since_seconds=-1)
    assert known.start_ns == NOON_NS - LATE_NS
    assert positions(known.fresh([arrived(1, -5), arrived(2, 0)], NOON_NS)) == [2]
    known.turn(NOON_NS)

    assert positions(known.fresh([arrived(1, -5), arrived(3, -4), arrived(2, 0)], NOON_NS)) == [3]


def test_only_what_the_next_poll_can_find_is_remembered():
    known = memory(since_seconds=-3600)
    known.fresh([arrived(n, n - 3000) for n in range(3000)], NOON_NS)

    known.turn(NOON_NS)

    assert known._shown == set(range(2990, 3000))


def test_a_record_without_a_time_is_shown_once():
    known = memory()
    without = api.LogRecord(position=1)
    for began in range(3):
        assert known.fresh([without], NOON_NS + began * SECOND) == ([without] if began == 0 else [])
        known.turn(NOON_NS + began * SECOND)


def test_a_poll_that_broke_off_is_asked_again_and_shows_nothing_twice():
    known = memory()
    known.fresh([arrived(1, 0)], NOON_NS)
    known.retry()

    assert known.start_ns == NOON_NS - LATE_NS
    assert positions(known.fresh([arrived(1, 0), arrived(2, 0)], NOON_NS + SECOND)) == [2]


def test_the_memory_is_bounded_and_nothing_is_shown_twice_all_the_same(monkeypatch):
    monkeypatch.setattr(follow, "MOST_REMEMBERED", 3)
    known = memory()
    known.fresh([arrived(n, n / 10) for n in range(5)], NOON_NS)

    known.turn(NOON_NS + SECOND)

    assert known.start_ns == NOON_NS + SECOND // 10 + 1
    assert known._shown == {2, 3, 4}


@given(
    times=st.lists(st.tuples(st.floats(-60, 60), st.floats(0, 9.999)), max_size=40),
    pauses=st.lists(st.floats(0.1, 7), min_size=1, max_size=20),
)
def test_whatever_arrives_within_ten_seconds_is_shown_exactly_once(times: list[tuple[float, float]], pauses: list[float]):
    """Polls at any distance, each of which finds what has arrived by its beginning."""
    kept = [(arrived(number, time), time + late) for number, (time, late) in enumerate(sorted(times))]
    known, seen = memory(since_seconds=-100), []
    for now in itertools.accumulate(pauses):
        began_ns = NOON_NS + int(now * SECOND)
        there = [row for row, arrives in kept if arrives <= now and row.time.ToNanoseconds() >= known.start_ns]
        seen += positions(known.fresh(there, began_ns))
        known.turn(began_ns)

    assert sorted(seen) == [row.position for row, arrives in kept if arrives <= now]


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between polls; after the fourth poll somebody presses Ctrl-C."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("agent.cli.follow.time.sleep", pause)
    return pauses


def recent(body: str, position: int) -> api.LogRecord:
    """A record of now: the next poll's window still holds it."""
    found = record(body, position=position)
    found.time.FromNanoseconds(SystemClock().now_ns())
    return found


def answers(*pages: list[api.LogRecord], **fields: Any) -> list[api.QueryLogsResponse]:
    return [api.QueryLogsResponse(log_records=page, **fields) for page in pages]


def test_followed_logs_are_lines_until_ctrl_c_which_is_no_failure(agent: FixedAgent, polls):
    first, second = recent("first", 1), recent("second", 2)
    agent.pages = answers([first], [first], [first, second])

    lines = typed("logs", "--follow", "--start", "2026-01-31T11:00:00Z", "--level", "info")

    assert [line.split()[3] for line in lines.splitlines()] == ["first", "second"]
    assert polls == [1.0] * 4
    assert {(asked.order, asked.limit, asked.min_severity) for asked in agent.asked} == {(api.ORDER_OLDEST, 0, 9)}
    assert agent.asked[0].start_time == at(-3_600_000)
    assert agent.asked[1].start_time.ToNanoseconds() > agent.asked[0].start_time.ToNanoseconds()


def test_followed_json_is_one_object_a_line(agent: FixedAgent, polls):
    agent.pages = answers([recent("\x9b", 1)], [recent("b", 2)])

    lines = typed("logs", "-f", "--start", "2026-01-31T11:00:00Z", "-o", "json").splitlines()

    assert [json.loads(line)["body"] for line in lines] == ["\x9b", "b"]


def test_followed_spans_have_one_heading(agent: FixedAgent, polls):
    agent.pages = [
        api.QuerySpansResponse(spans=[span(name, position=number, start_time=recent("", 0).time)])
        for number, name in enumerate("abc")
    ]

    lines = typed("spans", "-f", "--start", "2026-01-31T11:00:00Z").splitlines()

    assert [line.split()[0] for line in lines].count("START") == 1
    assert len(lines) == 4


def test_every_page_of_a_poll_is_shown(agent: FixedAgent, polls):
    agent.pages = [*answers([recent("a", 1)], next_page_token="t0k"), *answers([recent("b", 2)])]

    lines = typed("logs", "-f", "--start", "2026-01-31T11:00:00Z").splitlines()

    assert len(lines) == 2
    assert [asked.page_token for asked in agent.asked[:3]] == ["", "t0k", ""]


def test_without_last_the_first_ten_seconds_are_looked_back(agent: FixedAgent, polls):
    agent.pages = answers([])
    before = SystemClock().now_ns()

    typed("logs", "-f")

    assert 10 <= (before - agent.asked[0].start_time.ToNanoseconds()) / SECOND + 0.5 < 12


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_poll_that_fails_for_a_while_is_asked_again(agent: FixedAgent, polls, code: grpc.StatusCode):
    agent.pages = answers([recent("a", 1)], [], [recent("a", 1), recent("b", 2)])
    agent.refusals = {1: (code, "in a moment")}

    lines = typed("logs", "-f", "--start", "2026-01-31T11:00:00Z").splitlines()

    assert [line.split()[3] for line in lines] == ["a", "b"]
    assert agent.asked[2].start_time == agent.asked[1].start_time


def test_a_poll_that_cannot_be_answered_ends_it(agent: FixedAgent, polls):
    agent.pages = answers([])
    agent.refusals = {1: (grpc.StatusCode.PERMISSION_DENIED, "no")}

    assert "PERMISSION_DENIED" in typed("logs", "-f", code=1)


def test_the_first_poll_must_be_answered(agent: FixedAgent, polls):
    agent.refusals = {0: (grpc.StatusCode.UNAVAILABLE, "no")}

    assert "UNAVAILABLE" in typed("spans", "-f", code=1)
    assert polls == []


@pytest.mark.parametrize("words", [("--end", "2026-01-31T12:00:00Z"), ("--offset", "1"), ("--page-token", "x")])
def test_what_follows_has_no_end_and_no_pages(words: tuple[str, ...]):
    assert "--follow" in typed("logs", "-f", *words, code=2)


def test_warnings_are_told_once_on_standard_error(agent: FixedAgent, polls):
    agent.pages = answers([recent("a", 1)], warnings=["segment 3"])

    assert "segment 3" not in typed("logs", "-f", "--start", "2026-01-31T11:00:00Z")
