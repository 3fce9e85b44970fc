"""Bloom filters of trace ids: which sealed segments need not be asked for a trace, and which of their rows; pure.

Ten bits and four probes an id: about one segment in eighty is asked in vain. Eight for a run of rows, which are asked only
where the segment's filter says yes: of 728,576 spans a trace is then found in 1.6 ms instead of 4.8, and DuckDB reads a block
or two of ids instead of 23.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BITS_PER_ID = 10
BITS_OF_A_RUN = 8
MOST_RANGES = 8
"""Of one statement; of more the least that holds them all."""

_LEAST_BITS = 1 << 10
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd, so that ids which differ in few bits, as of senders that count, spread over the filter all the same."""

_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Bloom:
    """The filter; ``bits`` is a power of two of bits."""

    bits: bytes

    def may_hold(self, trace_id_high: int) -> bool:
        """False when no row has this upper half of a trace id."""
        shift = 64 - (len(self.bits) * 8).bit_length() + 1
        places = ((trace_id_high * factor & _WORD) >> shift for factor in _FACTORS)
        return all(self.bits[place >> 3] >> (7 - (place & 7)) & 1 for place in places)


@dataclass(frozen=True, slots=True)
class Traces:
    """Which traces a sealed segment may hold, and where.

    ``runs`` has the filter of each run of rows with its first arrival, in order; a run ends where the next begins.
    """

    whole: Bloom
    runs: tuple[tuple[int, Bloom], ...] = ()

    def may_hold(self, trace_id_high: int) -> bool:
        """False when no row has this upper half of a trace id."""
        return self.whole.may_hold(trace_id_high)

    def ranges(self, trace_id_high: int) -> tuple[tuple[int, int], ...] | None:
        """The arrivals, half-open, outside of which no row has it; None when that is not known."""
        if not self.runs:
            return None
        ends = [*(first for first, _ in self.runs[1:]), _WORD >> 1]
        found: list[tuple[int, int]] = []
        for (first, bloom), end in zip(self.runs, ends, strict=True):
            if bloom.may_hold(trace_id_high):
                begin = found.pop()[0] if found and found[-1][1] == first else first
                found.append((begin, end))
        return tuple(found) if len(found) <= MOST_RANGES else ((found[0][0], found[-1][1]),)


def traces_of(runs: Iterable[tuple[int, npt.NDArray[np.uint64]]]) -> Traces:
    """The filters of runs of rows: the first arrival of each, and its upper halves of trace ids."""
    found = [(first, _distinct(ids)) for first, ids in runs]
    whole = bloom_of(_distinct(np.concatenate([np.zeros(0, np.uint64), *(ids for _, ids in found)])))
    return Traces(whole, tuple((first, bloom_of(ids, BITS_OF_A_RUN)) for first, ids in found))


def _distinct(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each id once, by sorting: NumPy's ``unique`` hashes, 1.3 s for 1,500,000 ids, one a log record, not 0.09."""
    ordered = np.sort(ids)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def bloom_of(trace_id_highs: npt.NDArray[np.uint64], bits_per_id: int = BITS_PER_ID) -> Bloom:
    """The filter of these upper halves of trace ids."""
    count = max(_LEAST_BITS, 1 << (max(1, len(trace_id_highs) * bits_per_id) - 1).bit_length())
    shift = np.uint64(64 - count.bit_length() + 1)
    marks = np.zeros(count, bool)
    for factor in _FACTORS:
        marks[trace_id_highs * np.uint64(factor) >> shift] = True
    return Bloom(np.packbits(marks).tobytes())
