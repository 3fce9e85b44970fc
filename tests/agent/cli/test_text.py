"""Text for terminals: nothing steers them, quantities are short."""

from __future__ import annotations

import datetime as dt

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.text import attributes_text, cell, clock_text, duration_text, moment, number_text, plain, safe, size_text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("GET /cart", "GET /cart"),
        ("Grüße 漢字 🦀", "Grüße 漢字 🦀"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202ecba", r"abc\u202ecba"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_written_as_an_escape(value: str, shown: str):
    assert safe(value) == shown


@given(st.text())
def test_safe_text_is_printable(value: str):
    assert all(c.isprintable() or c.isspace() for c in safe(value))
    assert not set(safe(value)) & set("\x1b\x9b\r\n\t\x08")


def test_markup_in_telemetry_is_text():
    assert cell("[bold]x[/bold]").plain == "[bold]x[/bold]"


@pytest.mark.parametrize(
    ("duration_us", "shown"),
    [
        (0, "0µs"),
        (850, "850µs"),
        (12_300, "12.3ms"),
        (999_949, "999.9ms"),
        (999_950, "1.00s"),
        (1_230_000, "1.23s"),
        (59_994_999, "59.99s"),
        (59_995_000, "1m00s"),
        (123_000_000, "2m03s"),
    ],
)
def test_a_duration_is_a_few_digits_and_a_unit(duration_us: int, shown: str):
    assert duration_text(duration_us) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (64 << 20, "64.0 MiB"), (3 << 40, "3.0 TiB")]
)
def test_a_size_is_a_few_digits_and_a_binary_unit(size: int, shown: str):
    assert size_text(size) == shown


def test_a_moment_is_told_in_the_zone_to_the_millisecond():
    time = moment(Timestamp(seconds=0, nanos=123_456_789), dt.timezone(dt.timedelta(hours=1)))

    assert clock_text(time) == "01:00:00.123"


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_a_moment_that_no_calendar_holds_is_told_all_the_same(seconds: int):
    assert moment(Timestamp(seconds=seconds), dt.timezone(dt.timedelta(hours=14))).year in (1, 9999)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1", "1"),
        ('{"intValue":"-9223372036854775808"}', "-9223372036854775808"),
        ('{"doubleValue":1.5e-07}', "1.5e-07"),
        ('{"doubleValue":"NaN"}', "NaN"),
        ('{"boolValue":true}', "true"),
        ('{"bytesValue":"AP8="}', '{"bytesValue":"AP8="}'),
        ('{"intValue":"1"}\n', '{"intValue":"1"}\n'),
    ],
)
def test_a_flat_number_is_shown_as_a_filter_takes_it(value: str, shown: str):
    assert plain(value) == shown


def test_attributes_go_by_key_and_long_values_are_cut():
    assert attributes_text({"b": "x" * 99, "a": '{"intValue":"1"}'}) == "a=1 b=" + "x" * 59 + "…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (-2.0, "-2"),
        (0.000123456, "0.0001235"),
        (1234.5678, "1235"),
        (98765.4, "98,765"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_a_number_is_short(value: float, shown: str):
    assert number_text(value) == shown
