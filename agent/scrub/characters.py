"""What a reader sees of a text: compatibility forms folded, invisible characters gone; and which characters are such."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

from agent.scrub.engine import LATIN1, UTF8

_INVISIBLE = (
    "AD 34F 600-605 61C 6DD 70F 890-891 8E2 180B-180F 200B-200F 202A-202E 2060-206F FE00-FE0F FEFF FFF9-FFFB 110BD 110CD "
    "13430-1343F 1BCA0-1BCA3 1D173-1D17A E0001 E0020-E007F"
)
"""Category Cf of Unicode 16, with the variation selectors and the grapheme joiner: they hide a secret as well."""

_SWELLING = "2034 2037 2057 222D 2230 2A0C 3300-3357 FDFA-FDFB"
"""One character each, three to eighteen once folded, none of ASCII: read as a space, lest a text grow elevenfold."""

_FOLDING = (
    "A0 A8 AA AF B2-B4 B8-BA BC-BE 130 132-133 13F-140 149 17F 1C4-1CC 1F1-1F3 2B0 2B2-2B3 2B7-2B8 2D8-2DD 2E1-2E3 37A 37E "
    "384-385 1D2C-1D2E 1D30-1D43 1D47-1D49 1D4D-1D50 1D52 1D56-1D5B 1D62-1D65 1D9C 1DA0 1DBB 1E9A 1FBD-1FC1 1FCD-1FCF "
    "1FDD-1FDF 1FED-1FEF 1FFD-1FFE 2000-200A 2017 2024-2026 202F 203C-203E 2047-2049 205F 2070-208E 2090-209C 20A8 "
    "2100-2139 213B 2145-2149 2150-217F 2189 2460-24EA 2A74-2A76 2C7C-2C7D 3000 309B-309C 3200-321E 3220-3243 3250-325F "
    "32B1-32CF 3358-337A 3380-33FF A7F2-A7F4 FB00-FB06 FB29 FC5E-FC63 FE10-FE19 FE30-FE38 FE47-FE6B FE70-FE7E FF01-FF5E "
    "FFE3 107A5 1D400-1D7FF 1F100-1F10A 1F110-1F14F 1F16A-1F16C 1F190 1FBF0-1FBF9"
)
"""Characters whose folded or small form holds one of ASCII, in a few spans with neighbours: no other can spell a secret."""

MARKS = 30
"""More on one letter (Unicode's stream-safe form) and all marks of the text go: to order n takes n squared."""

Span = tuple[int, int]


def _spans(listed: str) -> list[Span]:
    ends = [span.partition("-") for span in listed.split()]
    return [(int(a, 16), int(b or a, 16)) for a, _, b in ends]


INVISIBLE: dict[int, str | None] = {point: None for a, b in _spans(_INVISIBLE) for point in range(a, b + 1)}
_SEEN = INVISIBLE | {point: " " for a, b in _spans(_SWELLING) for point in range(a, b + 1)}
_GONE = sys.maxunicode + 1
_SEEN_POINTS = np.arange(sys.maxunicode + 1, dtype=np.uint32)
_SEEN_POINTS[list(_SEEN)] = [_GONE if seen is None else ord(seen) for seen in _SEEN.values()]
ODD = sorted(_spans(f"{_INVISIBLE} {_FOLDING}"))
"""Spans of code points that must be folded or taken out before the rules look."""


def _halves(first: int, last: int) -> Iterator[Span]:
    """The span cut where the last byte of UTF-8 starts anew, so that each part differs in one byte only."""
    while first <= last:
        end = min(last, first | 0x3F)
        yield first, end
        first = end + 1


def odd_bytes(spans: list[Span]) -> str:
    """A pattern over UTF-8 bytes for every character in the spans."""
    tails: dict[bytes, list[str]] = {}
    for span in spans:
        for first, last in _halves(*span):
            low, high = chr(first).encode(), chr(last).encode()
            tails.setdefault(low[:-1], []).append(rf"\x{low[-1]:02x}-\x{high[-1]:02x}")
    return "|".join("".join(rf"\x{byte:02x}" for byte in head) + f"[{''.join(tail)}]" for head, tail in tails.items())


_ODD = re2.compile(odd_bytes(ODD).encode(), LATIN1)
_REPLACED = re2.compile(odd_bytes(sorted(_spans(f"{_INVISIBLE} {_SWELLING}"))).encode(), LATIN1)
_HEAP = re2.compile(rf"\pM{{{MARKS}}}".encode(), UTF8)


def is_plain(text: bytes) -> bool:
    """Whether no character has to be folded or taken out."""
    return text.isascii() or _ODD.search(text) is None


LONG = 4096
"""Characters from which looking all of them up at once costs less: a tenth for a megabyte."""


def _seen(text: str) -> str:
    """As ``text.translate(_SEEN)``."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    seen = _SEEN_POINTS[points]
    return bytes(seen[seen != _GONE]).decode("utf-32-le", "surrogatepass")


def normalised(text: str) -> str:
    """What a reader sees."""
    raw = text.encode("utf-8", "replace")
    if is_plain(raw):
        return text
    if _REPLACED.search(raw):
        text = text.translate(_SEEN) if len(text) < LONG else _seen(text)
        raw = text.encode("utf-8", "replace")
    if _HEAP.search(raw):
        text = pc.replace_substring_regex(pa.array([raw.decode()]), r"\pM+", "")[0].as_py()
    return unicodedata.normalize("NFKC", text)
