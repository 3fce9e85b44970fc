"""Durations and sizes: what people write, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.quantity import ByteSize, Duration


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("500ms", 500_000_000),
        ("10s", 10_000_000_000),
        ("5m", 300_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("0.5s", 500_000_000),
        ("1d", 86_400_000_000_000),
        ("0s", 0),
        (" 7 us ", 7_000),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, ns: int):
    assert Duration.of(text).ns == ns


@pytest.mark.parametrize("value", ["", "5", "5x", "-5m", "5m!", "m", "1h 30 zz", "99999999999d", None, True, [], "٥m"])
def test_what_is_no_duration_is_refused_with_what_is_right(value: object):
    with pytest.raises(ValueError, match='like "500ms"'):
        Duration.of(value)


def test_a_bare_number_is_told_that_it_has_no_unit():
    with pytest.raises(ValueError, match=r'no unit.*"300s" if seconds'):
        Duration.of(300)


@pytest.mark.parametrize(("value", "size"), [("4MiB", 4 << 20), ("64 KiB", 1 << 16), ("8GiB", 8 << 30), (17, 17), ("17", 17)])
def test_a_size_is_a_number_and_a_binary_unit_or_bytes(value: object, size: int):
    assert ByteSize.of(value).bytes == size


@pytest.mark.parametrize("value", ["4MB", "-1", -1, True, 1.5, None, "", "9999999999TiB", 2**63])
def test_what_is_no_size_is_refused_with_what_is_right(value: object):
    with pytest.raises(ValueError, match='like "64MiB"'):
        ByteSize.of(value)


@given(st.integers(0, 2**62))
def test_quantities_read_back_what_they_write(number: int):
    assert Duration.of(str(Duration(number))) == number
    assert ByteSize.of(str(ByteSize(number))) == number


def test_quantities_are_written_in_the_largest_whole_unit():
    assert [str(Duration(n)) for n in (0, 1_500_000_000, 7_200_000_000_000)] == ["0s", "1500ms", "2h"]
    assert [str(ByteSize(n)) for n in (0, 1536, 1 << 30)] == ["0B", "1536B", "1GiB"]


def test_a_duration_says_its_seconds():
    assert Duration.of("1500ms").seconds == pytest.approx(1.5)
