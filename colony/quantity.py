"""Durations and byte sizes as people write them ("5m", "64MiB"), kept as whole nanoseconds and bytes."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Self

_NS_OF_UNIT = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_BYTES_OF_UNIT = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_TERM = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-zµ]+)")
_MAX = 2**63 - 1

_DURATION_FORM = 'write a number and a unit of ns, us, ms, s, m, h or d, like "500ms", "10s", "5m" or "1h30m"'
_SIZE_FORM = 'write a number and a unit of B, KiB, MiB, GiB or TiB, like "64MiB", or a whole number of bytes'


class Duration(int):
    """A span of time in nanoseconds; ``str`` gives it as it is written."""

    @property
    def ns(self) -> int:
        """Nanoseconds."""
        return int(self)

    @property
    def seconds(self) -> float:
        """Seconds, as asyncio and gRPC take them."""
        return int(self) / 1e9

    def __str__(self) -> str:
        """In the largest unit that leaves a whole number."""
        if not self:
            return "0s"
        unit = next(unit for unit in reversed(_NS_OF_UNIT) if int(self) % _NS_OF_UNIT[unit] == 0 and unit != "d")
        return f"{int(self) // _NS_OF_UNIT[unit]}{unit}"

    @classmethod
    def of(cls, value: object) -> Self:
        """The duration that ``value`` says.

        Raises:
            ValueError: it says none; the message says what would be right.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            form = f'a number has no unit; {_DURATION_FORM} ("{value}s" if seconds were meant)'
            raise ValueError(form)  # noqa: TRY004 pydantic collects ValueErrors only
        return cls(_sum_of_terms(value, _NS_OF_UNIT, _DURATION_FORM))


class ByteSize(int):
    """A number of bytes; ``str`` gives it as it is written."""

    @property
    def bytes(self) -> int:
        """Bytes."""
        return int(self)

    def __str__(self) -> str:
        """In the largest unit that leaves a whole number."""
        if not self:
            return "0B"
        unit = next(unit for unit in reversed(_BYTES_OF_UNIT) if int(self) % _BYTES_OF_UNIT[unit] == 0)
        return f"{int(self) // _BYTES_OF_UNIT[unit]}{unit}"

    @classmethod
    def of(cls, value: object) -> Self:
        """The size that ``value`` says.

        Raises:
            ValueError: it says none; the message says what would be right.
        """
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(_MAX)):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value <= _MAX:
                raise ValueError(_SIZE_FORM)
            return cls(value)
        return cls(_sum_of_terms(value, _BYTES_OF_UNIT, _SIZE_FORM))


def _sum_of_terms(value: object, units: dict[str, int], form: str) -> int:
    """The whole text must be terms: "1h30m" is two."""
    text = value.strip() if isinstance(value, str) else ""
    terms = _TERM.findall(text)
    if not terms or _TERM.sub("", text) or any(unit not in units for _, unit in terms):
        raise ValueError(form)
    total = sum((Fraction(number) * units[unit] for number, unit in terms), Fraction())
    if total > _MAX:
        raise ValueError(form)
    return round(total)
