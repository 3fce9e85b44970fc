"""A filter of texts, built over a whole column at once: whether one of them may be there; pure.

Of each text it knows the length and the last eight bytes, where the values of attributes differ. Six bits and two probes a
text: of what is not there one in thirteen is let through.

Where a text stands in a filter depends on the filter's size in all its bits, so that one that is let through by mistake is so
in one block and not in the next, which has much the same texts. In filters of older code (``mixed_once``) places move a little
with the size: a value "500" that was nowhere was let through in two blocks of five.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BITS_PER_TEXT = 6
SEEN = 8
MIX, _LENGTH = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
WORD, _HALF = (1 << 64) - 1, (1 << 32) - 1


def sieve_of(ends: npt.NDArray[Any], data: Any) -> bytes:  # noqa: ANN401 whatever has a buffer, or None
    """The filter of the texts that lie side by side in ``data`` between ``ends``; empty without any."""
    lengths = np.diff(ends)
    if not len(lengths):
        return b""
    last = eight_bytes(np.frombuffer(data or b"", np.uint8), ends[1:] - SEEN, lengths)
    mixed = lengths.astype(np.uint64)
    mixed *= np.uint64(_LENGTH)
    mixed ^= last
    mixed *= np.uint64(MIX)
    bits = _bits(len(lengths))
    count, salt = np.uint64(bits), np.uint64(bits * _LENGTH & WORD)
    mixed ^= mixed >> np.uint64(32)
    mixed ^= salt
    mixed *= np.uint64(MIX)
    marks = np.zeros(int(count), bool)
    for half in (mixed >> np.uint64(32), mixed & np.uint64(_HALF)):
        marks[(half * count >> np.uint64(32)).view(np.int64)] = True
    return np.packbits(marks).tobytes()


def eight_bytes(whole: npt.NDArray[np.uint8], begins: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The eight bytes that begin at each of these places, as a number; 0 where the text has fewer."""
    if len(whole) < SEEN:
        return np.zeros(len(begins), np.uint64)
    at_every_byte = np.ndarray((len(whole) - SEEN + 1,), "<u8", whole, strides=(1,))
    are_short = int(lengths.min()) < SEEN
    places = (np.where(lengths < SEEN, 0, begins) if are_short else begins).astype(np.intp)
    found: npt.NDArray[np.uint64] = at_every_byte[places]
    if are_short:
        found[lengths < SEEN] = 0
    return found


def _bits(texts: int) -> int:
    return -(-texts * BITS_PER_TEXT // 8) * 8


def may_hold(sieve: bytes, text: bytes, *, mixed_once: bool = False) -> bool:
    """False when the text is not one of those the filter was made of, by this code or (``mixed_once``) by older."""
    if not sieve:
        return False
    last = int.from_bytes(text[-SEEN:], "little") if len(text) >= SEEN else 0
    mixed = (last ^ (len(text) * _LENGTH & WORD)) * MIX & WORD
    if not mixed_once:
        mixed = (mixed ^ mixed >> 32 ^ len(sieve) * 8 * _LENGTH & WORD) * MIX & WORD
    places = (half * len(sieve) * 8 >> 32 for half in (mixed >> 32, mixed & _HALF))
    return all(sieve[place >> 3] >> (7 - (place & 7)) & 1 for place in places)
