"""Telemetry and quantities as short text on one line, with nothing in it that could end the line or the fence."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import SECOND_NS

FENCE = "telemetry-data"
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format characters (which reorder what is read), surrogates, private and unassigned, line separators."""

_TYPED = re.compile(r'\{"(?:intValue":"(-?\d+)"|doubleValue":"?([^"}]+)"?|boolValue":(true|false))\}')
_LEVELS = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))
_LONGEST_KEY = 64
_FIRST_NS, _LAST_NS = -62_135_596_800 * SECOND_NS, 253_402_300_799 * SECOND_NS
"""The years 1 and 9999: what a calendar holds."""


def size_of(text: str) -> int:
    """UTF-8 bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, longest: int) -> str:
    """At most about ``longest`` characters, then how many more there were."""
    return text if len(text) <= longest else f"{text[:longest]}…(+{len(text) - longest})"


def one_line(text: str, longest: int) -> str:
    """Untrusted text: cut, what cannot be seen written as an escape, and no word in it that ends the fence."""
    shown = cut(text, longest)
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN else c for c in shown)
    return shown.replace(FENCE, FENCE.replace("-", "_"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def fit(text: str, longest_bytes: int) -> str:
    """The beginning of ``text`` that takes at most this many UTF-8 bytes, with an ellipsis when some is lost."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= longest_bytes:
        return encoded.decode()
    return encoded[: max(0, longest_bytes - 3)].decode("utf-8", "ignore") + "…"


def plain(value: str) -> str:
    """A flat value as a person writes it: a number or true/false bare, anything else as it is."""
    match = _TYPED.fullmatch(value) if len(value) < 64 else None
    return next(group for group in match.groups() if group is not None) if match else value


def attributes_text(attributes: Mapping[str, str], longest: int, most: int) -> str:
    """``key=value`` by key; a value with a space in it stands in quotes. Says how many attributes were left out."""
    if not attributes or not most:
        return f"({len(attributes)} attributes)" if attributes else ""
    pairs = [
        f"{one_line(key, max(_LONGEST_KEY, longest))}={_value(attributes[key], longest)}" for key in sorted(attributes)[:most]
    ]
    left = len(attributes) - len(pairs)
    return " ".join([*pairs, f"(+{left} attributes)"] if left > 0 else pairs)


def _value(value: str, longest: int) -> str:
    shown = one_line(plain(value), longest)
    return f'"{shown}"' if " " in shown or not shown else shown


def duration_text(duration_ns: float) -> str:
    """Three or four digits and a unit: ``0.85ms``, ``12.3ms``, ``1.23s``, ``2m03s``."""
    if duration_ns < 994_999:
        return f"{duration_ns / 1e6:.2g}ms"
    if duration_ns < 999_950_000:
        return f"{duration_ns / 1e6:.1f}ms"
    if duration_ns < 59_995_000_000:
        return f"{duration_ns / 1e9:.2f}s"
    minutes, seconds = divmod(round(duration_ns / 1e9), 60)
    return f"{minutes}m{seconds:02d}s"


def offset_text(offset_ns: int) -> str:
    """``+12.3ms``; what lies before the base has a minus."""
    return f"-{duration_text(-offset_ns)}" if offset_ns < 0 else f"+{duration_text(offset_ns)}" if offset_ns else "+0"


def time_text(time_ns: int) -> str:
    """A moment in UTC to the millisecond; what no calendar holds becomes its first or last."""
    bounded = min(max(time_ns, _FIRST_NS), _LAST_NS)
    seconds, rest = divmod(bounded, SECOND_NS)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def number_text(value: float) -> str:
    """A whole number as it is, any other in five digits."""
    return str(int(value)) if value == value // 1 and abs(value) < 1e15 else f"{value:.5g}"


def kind_text(kind: int) -> str:
    """``server`` for SPAN_KIND_SERVER; nothing for none."""
    if kind in (api.SPAN_KIND_UNSPECIFIED, api.SPAN_KIND_INTERNAL):
        return ""
    return api.SpanKind.Name(kind).removeprefix("SPAN_KIND_").lower() if kind in api.SpanKind.values() else f"kind{kind}"


def level_text(level: int) -> str:
    """A severity number's word."""
    return next((word for least, word in _LEVELS if level >= least), "-")


def counted(number: int, one: str, many: str = "") -> str:
    """``1 span``, ``3 spans``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(names: Iterable[str], most: int, longest: int) -> str:
    """The first names, each cut, and how many more there are."""
    every = list(names)
    shown = ", ".join(one_line(name, longest) for name in every[:most])
    return f"{shown} and {len(every) - most} more" if len(every) > most else shown


class Names:
    """Long names told once, in a legend, and by a short label after that."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._labels: dict[str, str] = {}

    def cost(self, name: str) -> int:
        """What the legend grows by when this name is used."""
        return 0 if name in self._labels else size_of(name) + len(self._prefix) + 8

    def label(self, name: str) -> str:
        """The label that stands for the name from now on."""
        return self._labels.setdefault(name, f"{self._prefix}{len(self._labels) + 1}")

    @property
    def legend(self) -> str:
        """``A1=shop A2=payments``."""
        return " ".join(f"{label}={name}" for name, label in self._labels.items())
