"""Plots of series: four rows of blocks, what they are, and their numbers."""

from __future__ import annotations

import datetime as dt

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.cli.curve import Grid
from agent.cli.plot import plots, plots_footer
from tests.agent.cli.telemetry import NOON_NS, series

SECOND = 1_000_000_000


def lines(*found: api.Series, width: int = 10, slots: int = 4) -> list[str]:
    grid = Grid(NOON_NS, NOON_NS + slots * 5 * SECOND, 5 * SECOND)
    return [line.plain for line in plots(api.QueryMetricsResponse(series=found), grid, width)]


def levels(*last: float, **fields: object) -> api.Series:
    return series("GAUGE", *({"last": number} for number in last), **fields)  # type: ignore[arg-type] # of a series


def test_a_series_is_a_heading_four_rows_and_its_numbers():
    assert lines(levels(0, 32, 16, 8, unit="ms", attributes={"code": '{"intValue":"500"}'}), width=12) == [
        "requests cart code=500",
        "32   ██",
        "     ██▁▁",
        "     ████▁▁",
        " 0 ▁▁██████",
        "min 0  max 32  last 8 ms  last of each step",
        "",
    ]


def test_the_lowest_value_differs_from_none():
    rows = lines(series("GAUGE", {"at": 0, "last": 1}, {"at": 15, "last": 2}, {"at": 15, "last": 2}), width=6)

    assert rows[4][2] == "▁"


@pytest.mark.parametrize(("value", "row"), [(0.0, "▁"), (5.0, "█")])
def test_a_constant_is_a_line(value: float, row: str):
    rows = lines(levels(*[value] * 4))

    assert set(rows[4].split()[1]) == {row}
    assert rows[1].split() == [f"{value:g}"]


def test_more_steps_than_columns_show_the_greatest_of_each_column():
    rows = lines(levels(*[0] * 50, 9, *[0] * 49), width=12, slots=100)

    assert [len(row) <= 12 for row in rows[1:5]] == [True] * 4
    assert rows[1].count("█") == 1


def test_a_plot_is_as_wide_as_the_terminal_lets_it_be():
    assert len(lines(levels(1, 2, 3, 4), width=80)[4]) == 2 + 4 * 19


def test_a_rate_begins_at_zero_and_a_level_at_its_lowest():
    rate = lines(series("SUM", {"last": 0}, {"last": 500}, {"last": 1005}, is_monotonic=True))

    assert rate[4].startswith("  0 ")
    assert rate[5] == "min 100  max 101  last 101 1/s  per second, from a cumulative sum"
    assert lines(levels(100, 101))[4].startswith("100 ")


def test_a_series_with_too_few_points_says_so():
    assert lines(series("SUM", {"last": 5}, is_monotonic=True))[1].startswith("too few points to plot")


def test_instances_of_a_service_are_told_apart():
    first, second = (levels(1, resource_attributes={"service.instance.id": name, "service.name": "cart"}) for name in "ab")

    found = lines(first, second)

    assert found[0] == "requests cart  service.instance.id=a"
    assert found[7] == "requests cart  service.instance.id=b"


def test_hostile_series_steer_nothing():
    hostile = levels(1, unit="\x1b[1m", attributes={"\x9b": "\r\n"}, resource_attributes={"a": "\x1b"})
    hostile.metric_name = hostile.service_name = "\x07"

    assert not set("".join(lines(hostile))) & set("\x1b\x9b\x07\r\n")


def test_the_footer_says_how_many_when_and_how_to_go_on():
    answer = api.QueryMetricsResponse(series=[levels(1)], total_count=3, total_is_exact=True, has_more=True)

    assert plots_footer(answer, Grid(NOON_NS, NOON_NS + 300 * SECOND, 5 * SECOND), 1, dt.UTC).plain == (
        "showing 1 of 3 series, busiest first; 2026-01-31 12:00:00 to 12:05:00, UTC+0000, step 5s; the points: --points;"
        " more: --offset 2"
    )


def test_no_series_says_what_to_try():
    assert "coral-agent metrics" in plots_footer(api.QueryMetricsResponse(), Grid(0, 1, 1), 0).plain
