"""Pure: telemetry and quantities as short text that a terminal can be trusted with."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format characters (which reorder what is read), surrogates, private and unassigned, line separators."""


def safe(value: str) -> str:
    """``value`` with every character that could steer a terminal or reorder a line written as an escape."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(_escaped(c) if unicodedata.category(c) in _ESCAPED_CATEGORIES else c for c in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def cell(value: str, style: str = "") -> Text:
    """Untrusted text for a table: escaped, no markup, cut with an ellipsis when there is no room."""
    return Text(safe(value), style=style, overflow="ellipsis", no_wrap=True)


_NUMBER = re.compile(r'\{"(?:intValue":"(-?\d+)"|doubleValue":"?([^"}]+)"?|boolValue":(true|false))\}')
_LONGEST_VALUE = 60


def plain(value: str) -> str:
    """A flat value as a person writes it in a filter: a number or true/false bare, anything else as it is."""
    match = _NUMBER.fullmatch(value)
    return next(group for group in match.groups() if group is not None) if match else value


def attributes_text(attributes: Mapping[str, str]) -> str:
    """``key=value`` by key, long values cut: JSON has them whole. Not yet safe."""
    pairs = ((key, plain(value)) for key, value in sorted(attributes.items()))
    return " ".join(f"{key}={cut(value, _LONGEST_VALUE)}" for key, value in pairs)


def cut(value: str, longest: int) -> str:
    """At most ``longest`` characters, the last an ellipsis when some were lost."""
    return value if len(value) <= longest else value[: longest - 1] + "…"


def number_text(value: float) -> str:
    """A whole number in groups of three; any other in four digits."""
    if not math.isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def duration_text(duration_us: int) -> str:
    """Three or four digits and a unit: ``850µs``, ``12.3ms``, ``1.23s``, ``2m03s``."""
    if duration_us < 1_000:
        return f"{duration_us}µs"
    if duration_us < 999_950:
        return f"{duration_us / 1e3:.1f}ms"
    if duration_us < 59_995_000:
        return f"{duration_us / 1e6:.2f}s"
    minutes, seconds = divmod(round(duration_us / 1e6), 60)
    return f"{minutes}m{seconds:02d}s"


def size_text(size_bytes: int) -> str:
    """``512 B``, ``64.0 MiB``."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def moment(time: Timestamp, zone: dt.tzinfo | None = None) -> dt.datetime:
    """The time in ``zone``, this machine's when none is given; what no calendar holds becomes its first or last day."""
    seconds = min(max(time.seconds, -62_135_510_400), 253_402_214_400)  # years 1 and 9999, a day from their ends
    utc = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds, microseconds=time.nanos // 1_000)
    return utc.astimezone(zone)


def clock_text(time: dt.datetime) -> str:
    """The time of day to the millisecond."""
    return f"{time:%H:%M:%S}.{time.microsecond // 1_000:03d}"
