"""What a block knows of its attributes without their codes: in how many rows a common one stands, which keys rare ones have.

So rows that have an attribute are counted without unpacking a block, and rare ones are not looked through for a key that none
of them has (ADR 18). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.store.sieve import MIX, SEEN, WORD, eight_bytes

KEY_MARKS = 1024
"""Rare attributes of a block have a handful of keys: of others one in a hundred is let through."""

_SHIFT = 64 - (KEY_MARKS.bit_length() - 1)
_TAG = 1
"""Bytes before what a key is told by: its length and seven of its own."""

_BITS = 16
"""Of a row's number, and of a KeyValue's: both in one of 32 bits are sorted in 70 us for 24,000."""


def row_counts(repeated: npt.NDArray[Any], codes: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In how many rows each common KeyValue stands; none where a row may have one twice, which no sender should do.

    Args:
        repeated: how often each KeyValue is there, of the common ones.
        codes: of every attribute of every row, a number for each distinct KeyValue.
        sizes: how many attributes each row has.
    """
    if max(len(sizes), codes.max(initial=0)) >> _BITS:
        return repeated[:0]
    pairs = np.repeat(np.arange(len(sizes), dtype=np.uint32) << np.uint32(_BITS), sizes)
    pairs |= codes.view(np.uint32)
    pairs.sort()
    return repeated[:0] if (pairs[1:] == pairs[:-1]).any() else repeated


def marks_of_keys(ends: npt.NDArray[Any], data: Any) -> bytes:  # noqa: ANN401 whatever has a buffer, or None
    """A filter of the keys of the KeyValues that lie side by side in ``data`` between ``ends``; empty without any."""
    if len(ends) < 2:
        return b""
    begins = eight_bytes(np.frombuffer(data or b"", np.uint8), ends[:-1] + _TAG, np.diff(ends) - _TAG)
    begins *= np.uint64(MIX)
    begins >>= np.uint64(_SHIFT)
    marks = np.zeros(KEY_MARKS, bool)
    marks[begins.view(np.int64)] = True
    return np.packbits(marks).tobytes()


@dataclass(frozen=True)
class Forms:
    """The wire forms of a KeyValue that is looked for, of which any will do, and what is worked out of them once."""

    wires: tuple[bytes, ...]

    @cached_property
    def head(self) -> bytes:
        """What all of them begin with."""
        pairs = zip(min(self.wires), max(self.wires), strict=False)
        return bytes(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    @cached_property
    def _marks(self) -> list[int]:
        return list({_mark_of_key(wire) for wire in self.wires})

    def may_share_a_key(self, marks: bytes) -> bool:
        """False when none of the KeyValues that ``marks_of_keys`` was made of has the key of one of them."""
        return bool(marks) and any(marks[place >> 3] >> (7 - (place & 7)) & 1 for place in self._marks)


def _mark_of_key(wire: bytes) -> int:
    begins = int.from_bytes(wire[_TAG : _TAG + SEEN], "little") if len(wire) >= _TAG + SEEN else 0
    return (begins * MIX & WORD) >> _SHIFT
