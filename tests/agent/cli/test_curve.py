"""What is plotted of a series: rates, means, levels, and which stretches of time they fill."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.curve import Curve, Grid, curve_of
from tests.agent.cli.telemetry import NOON_NS, series

SECOND = 1_000_000_000


def curve(found: api.Series, slots: int = 4) -> Curve:
    return curve_of(found, Grid(NOON_NS, NOON_NS + slots * 5 * SECOND, 5 * SECOND))


def values(found: api.Series, slots: int = 4) -> list[float | None]:
    return curve(found, slots).values


def test_a_gauge_is_its_last_values():
    found = curve(series("GAUGE", {"last": 1}, {"last": 9}, {"last": 4}, {"last": -5}, unit="By"))

    assert found.values == [1, 9, 4, -5]
    assert (found.last, found.unit, found.has_zero) == (-5, "By", False)


def test_a_counter_is_its_growth_per_second_and_says_so():
    found = curve(series("SUM", {"last": 100}, {"last": 110}, {"last": 110}, {"last": 160}, is_monotonic=True))

    assert found.values == [None, 2, 0, 10]
    assert (found.caption, found.unit, found.has_zero) == ("per second, from a cumulative sum", "1/s", True)


def test_a_counter_that_began_again_between_steps_counts_from_zero():
    assert values(series("SUM", {"last": 100}, {"last": 10}, {"last": 20}, is_monotonic=True), 3) == [None, 2, 2]


def test_a_counter_that_began_again_within_a_step_counts_both_parts():
    steps = ({"last": 100}, {"last": 10, "max": 140}, {"last": 200, "max": 300})

    assert values(series("SUM", *steps, is_monotonic=True), 3) == [None, (40 + 10) / 5, (290 + 200) / 5]


def test_a_sum_that_goes_up_and_down_is_a_level():
    assert values(series("SUM", {"last": 3}, {"last": 2}), 2) == [3, 2]


def test_a_delta_sum_is_what_each_step_added():
    found = curve(series("SUM", {"last": 3, "sum": 7}, {"last": 2, "sum": 2}, delta=True, is_monotonic=True), 2)

    assert found.values == [7, 2]
    assert found.caption == "added in each step"


@pytest.mark.parametrize("kind", ["HISTOGRAM", "EXPONENTIAL_HISTOGRAM", "SUMMARY"])
def test_a_cumulative_histogram_is_the_mean_since_the_step_before(kind: str):
    steps = ({"last": 10, "observations": 1}, {"last": 70, "observations": 3}, {"last": 70, "observations": 3})

    assert values(series(kind, *steps), 3) == [None, 30, None]


def test_a_histogram_that_began_again_is_the_mean_since_then():
    assert values(series("HISTOGRAM", {"last": 100, "observations": 9}, {"last": 12, "observations": 3}), 2) == [None, 4]


def test_a_delta_histogram_is_the_mean_of_its_points():
    steps = ({"last": 10, "observations": 2}, {"last": 9, "observations": 3}, {"last": 0, "observations": 0})

    assert values(series("HISTOGRAM", *steps, delta=True), 3) == [5, 3, None]


def test_slots_between_reports_are_filled_but_not_a_silence():
    steps = ({"at": 0, "last": 1}, {"at": 10, "last": 2}, {"at": 20, "last": 3}, {"at": 60, "last": 4}, {"at": 70, "last": 5})

    assert values(series("GAUGE", *steps), 15) == [1, 2, 2, 3, 3, *[None] * 7, 4, 5, 5]


def test_steps_without_a_number_and_numbers_that_are_none_are_left_out():
    found = curve(series("GAUGE", {}, {"last": float("nan")}, {"last": 7}, {"last": float("inf")}))

    assert found.values == [None, None, 7, None]
    assert found.last == 7


def test_a_series_without_numbers_has_no_last():
    assert curve(series("GAUGE")).last is None
    assert curve(series("SUM", {"last": 5}, is_monotonic=True)).last is None


def test_steps_outside_the_window_stand_at_its_ends():
    assert values(series("GAUGE", {"at": -5, "last": 1}, {"at": 50, "last": 2}), 3)[0] == 1
