"""A filter of what texts contain, built over a whole column at once: whether a text may stand in one of them; pure.

It knows every four bytes that follow one another in the folded texts: whoever looks for four bytes or more asks whether all of
its own are there. It never hides a text that is there; what it lets through may be absent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from agent.store.grep import folded_parts

GRAM = 4
"""Of three bytes, order numbers and hexadecimal ids would soon be all there are; words of three letters are not looked up."""

_MOST, _LEAST = 17, 6
"""Binary logarithms of a filter's bits: 16 KiB at most for the 2,048 rows of a block."""

_ROOMY, _FULL = 1 / 4, 7 / 8
"""As many of its bits may be set where half of them would do; and as many that it is still of use."""

_PART = 131_072
"""Bytes of texts that are looked at together."""

_WORD = 1 << 32
_SALT = struct.Struct("<I")
_END = struct.Struct("<QI4s")  # XXH3 of the filter, its bytes, mark
_MARK = b"CBG1"
TAIL_BYTES = _SALT.size + (1 << _MOST) // 8 + _END.size
"""What the end of a block takes at most."""


def grams_of(column: pa.Array, number: int) -> bytes:
    """The filter of a column of strings: a factor, then bits; empty when it would let nearly everything through.

    ``number`` should be another for every column: it chooses the factor, so that a gram that shares its bit with a frequent one
    shares it in few blocks and not in all.
    """
    factor = (2 * number + 1) * 0x9E3779B1 % _WORD
    marks = np.zeros(1 << _MOST, bool)
    for folded in folded_parts(column, _PART):
        for grams in _grams(folded):
            places = grams * np.uint32(factor)
            places >>= np.uint32(32 - _MOST)
            marks[places.astype(np.intp)] = True
        if np.count_nonzero(marks) > len(marks) * _FULL:
            return b""
    while len(marks) > 1 << _LEAST and np.count_nonzero(marks) <= len(marks) // 2 * _ROOMY:
        marks = marks.view(np.uint16) != 0  # two neighbours become one
    return _SALT.pack(factor) + np.packbits(marks, bitorder="little").tobytes()


def _grams(folded: bytes) -> Iterator[npt.NDArray[np.uint32]]:
    """Each four bytes that follow one another, as numbers, in no order: what is aligned is multiplied faster."""
    for begin in range(GRAM):
        yield np.frombuffer(folded[begin : len(folded) - (len(folded) - begin) % GRAM], "<u4")


@dataclass(frozen=True)
class Sought:
    """A text that is looked for, folded (``values.folded``)."""

    text: str

    @cached_property
    def grams(self) -> list[int]:
        """Its grams; none of a text that is too short to be looked up."""
        return [gram for some in _grams(self.text.encode()) for gram in some.tolist()]

    def may_stand_in(self, grams: bytes) -> bool:
        """False when it is in none of the texts that the filter was made of; an empty filter knows of none."""
        if not grams:
            return True
        (factor,) = _SALT.unpack_from(grams)
        shift = 33 - ((len(grams) - _SALT.size) * 8).bit_length()
        places = (gram * factor % _WORD >> shift for gram in self.grams)
        return all(grams[_SALT.size + (place >> 3)] >> (place & 7) & 1 for place in places)


def ended(grams: bytes) -> bytes:
    """A filter as it stands at the end of a block; nothing of an empty one."""
    return grams + _END.pack(xxhash.xxh3_64_intdigest(grams), len(grams), _MARK) if grams else b""


def filter_at_end(tail: bytes | memoryview) -> bytes:
    """The filter at the end of a block whose last bytes these are; empty without one, or when it is damaged."""
    if len(tail) < _END.size:
        return b""
    digest, size, mark = _END.unpack_from(tail, len(tail) - _END.size)
    begin = len(tail) - _END.size - size
    if mark != _MARK or begin < 0:
        return b""
    grams = bytes(tail[begin : begin + size])
    return grams if xxhash.xxh3_64_intdigest(grams) == digest else b""
