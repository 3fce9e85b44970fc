"""Text search over a column of texts: which rows contain a wanted text, without regard to case; pure.

The whole column is looked through at once, as one text: a word that is in none of its rows costs no row anything. What is
ASCII, which nearly all is, is folded byte by byte; only two letters outside it fold into it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent.arrays import Numbers, ends_of
from agent.values import folded

_SHORT = 3
"""Bytes: longer ones Python finds as fast, and a block that has them not is seldom looked through (``grams.py``)."""


_INTO_ASCII = ("\u212a".encode(), "\u0130".encode())
"""The Kelvin sign, which folds into k, and the I with a dot, into i and a combining dot; a test asks Python for all."""


def rows_with_text(column: pa.Array, wanted: str) -> Numbers:
    """The indices of the texts that contain ``wanted``, ascending.

    Args:
        column: strings; a null contains nothing.
        wanted: not empty, as ``values.folded`` makes it.
    """
    if not len(column) or column.null_count == len(column):
        return np.zeros(0, np.int64)
    in_lower_case = pc.ascii_lower(column)
    text = _side_by_side(in_lower_case)
    meets = np.zeros(len(column), bool)
    if _in_ascii(text, wanted):  # a fifth of what looking at each row costs
        meets = np.array(pc.match_substring(in_lower_case, wanted).fill_null(False))
    if _beyond_ascii(text, wanted):
        rows, texts = _outside_ascii(in_lower_case, text)
        if wanted in _folded(b"\n".join(texts)):
            meets[[row for row, one in zip(rows, texts, strict=True) if wanted in _folded(one)]] = True
    return np.flatnonzero(meets & np.asarray(column.is_valid()) if column.null_count else meets)


def may_stand_in(text: bytes, wanted: str) -> bool:
    """False when no part of a text, which is UTF-8, contains ``wanted``; two fifths of what asking its rows costs."""
    whole = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, len(text)], np.int32)), pa.py_buffer(text)])
    in_lower_case = _side_by_side(pc.ascii_lower(whole))
    return _in_ascii(in_lower_case, wanted) or _beyond_ascii(in_lower_case, wanted)


def _in_ascii(text: bytes, wanted: str) -> bool:
    """Whether a text in lower case has ``wanted``, which is ASCII; in a third of the time when that is short."""
    if not wanted.isascii():
        return False
    sought, rest = wanted.encode(), len(text) - len(wanted) + 1
    if len(sought) > _SHORT or rest <= 0:
        return sought in text
    whole = np.frombuffer(text, np.uint8)
    marks = whole[:rest] == sought[0]
    for at, byte in enumerate(sought[1:], 1):
        marks &= whole[at : at + rest] == byte
    return bool(marks.any())


def _beyond_ascii(text: bytes, wanted: str) -> bool:
    """Whether ``wanted`` may be where a character is not ASCII."""
    return not text.isascii() and (not wanted.isascii() or any(letter in text for letter in _INTO_ASCII))


def folded_parts(column: pa.Array, size: int) -> Iterator[bytes]:
    """Bytes among which each text stands folded, from so many bytes of texts at a time, or from one longer text."""
    low, ends = 0, ends_of(column)
    while low < len(column):
        high = max(low + 1, int(np.searchsorted(ends, ends[low] + size, side="right")) - 1)
        in_lower_case = pc.ascii_lower(column.slice(low, high - low))
        text = _side_by_side(in_lower_case)
        if not text.isascii():
            _, texts = _outside_ascii(in_lower_case, text)
            text = (text if len(texts) < high - low else b"") + _folded(b"\n".join(texts)).encode()
        yield text
        low = high


def _side_by_side(column: pa.Array) -> bytes:
    """All texts behind one another; a null may stand over any bytes."""
    whole = column.buffers()[2]
    ends = ends_of(column)
    return b"" if whole is None else bytes(memoryview(whole)[int(ends[0]) : int(ends[-1])])


def _folded(text: bytes) -> str:
    return folded(text.decode("utf-8", "replace"))


def _outside_ascii(column: pa.Array, text: bytes) -> tuple[list[int], list[bytes]]:
    """The rows with a character outside ASCII, and their texts; ``text`` is all rows side by side."""
    ends = ends_of(column) - ends_of(column)[0]
    rows = np.flatnonzero(np.diff(ends))
    rows = rows[np.maximum.reduceat(np.frombuffer(text, np.uint8), ends[rows]) > 127]
    return rows.tolist(), [text[low:high] for low, high in zip(ends[rows].tolist(), ends[rows + 1].tolist(), strict=True)]
