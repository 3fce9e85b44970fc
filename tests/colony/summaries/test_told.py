"""What summaries say: percentiles of merged sketches, requests apart from other spans, the most frequent first."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import MINUTE_NS
from colony.sketch import Sketch
from colony.summaries.told import Operation, Sum, slot_minutes, told

SERVER, CLIENT = int(api.SPAN_KIND_SERVER), int(api.SPAN_KIND_CLIENT)


def summed(*durations: int, errors: int = 0, slowest: tuple[str, ...] = ()) -> Sum:
    return Sum(errors, Sketch.of(durations), slowest)


def test_a_percentile_is_of_all_spans_and_no_mean_of_percentiles():
    get: Operation = ("GET /", SERVER, False)
    first, second = summed(*[10] * 98), summed(1000, 1000)
    answer = told("shop", (0, 2 * MINUTE_NS), {get: summed(*[10] * 98, 1000, 1000)}, {0: first, 1: second})

    assert answer.total.p50_ns == pytest.approx(10, rel=0.011)
    assert answer.total.p99_ns == pytest.approx(1000, rel=0.011), "the mean of both minutes' would be 505"
    assert answer.total.per_second == pytest.approx(100 / 120)
    assert [(slot.start_ns, slot.figures.count) for slot in answer.slots] == [(0, 98), (MINUTE_NS, 2)]


def test_the_total_is_of_requests_where_there_are_some():
    sums = {("GET /", SERVER, False): summed(10, errors=1), ("SELECT", CLIENT, False): summed(1, 1, 1)}
    answer = told("shop", (0, MINUTE_NS), sums, {})

    assert (answer.total.count, answer.total.error_share, answer.total_is_requests) == (1, 1.0, True)
    assert [(one.operation, one.figures.count) for one in answer.operations] == [("SELECT", 3), ("GET /", 1)]
    only_calls = told("shop", (0, MINUTE_NS), {("SELECT", CLIENT, False): summed(1)}, {})
    assert (only_calls.total.count, only_calls.total_is_requests) == (1, False)


def test_of_nothing_there_are_no_percentiles():
    answer = told("shop", (0, MINUTE_NS), {}, {}, ["n1: it is away"])

    assert (answer.total.count, answer.total.p50_ns, answer.total.error_share) == (0, None, 0.0)
    assert (answer.operations, answer.slots, answer.gaps) == ((), (), ("n1: it is away",))


def test_a_long_window_is_told_in_at_most_sixty_slots():
    assert [slot_minutes(0, minutes * MINUTE_NS) for minutes in (1, 60, 61, 120, 24 * 60)] == [1, 1, 2, 2, 24]
    answer = told("shop", (0, 120 * MINUTE_NS), {}, {3: summed(*[5] * 240)})
    assert (answer.slot_minutes, answer.slots[0].start_ns, answer.slots[0].figures.per_second) == (2, 6 * MINUTE_NS, 2.0)
