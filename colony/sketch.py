"""Pure: durations as counts in buckets whose bounds grow by one factor (DDSketch), so that many add up to one.

A duration of d nanoseconds lies in bucket ceil(ln d / ln gamma); zero and below have a bucket of their own. A quantile is told
as the middle of its bucket, which is off by at most (gamma - 1) / (gamma + 1) of the true value: a hundredth for ``GAMMA``.
Source: Masson, Rim, Lee, "DDSketch", VLDB 2019.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)


def relative_error(gamma: float) -> float:
    """By how much of itself a quantile can be off."""
    return (gamma - 1) / (gamma + 1)


def bucket_of(duration_ns: int, gamma: float = GAMMA) -> int:
    """The bucket of a duration above zero."""
    return math.ceil(math.log(duration_ns) / math.log(gamma))


@dataclass(slots=True)
class Sketch:
    """How many durations lie in which bucket, and how many are zero or below."""

    gamma: float = GAMMA
    zeros: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, durations_ns: Iterable[int], gamma: float = GAMMA) -> Sketch:
        """The sketch of these durations."""
        sketch = cls(gamma)
        for duration in durations_ns:
            if duration > 0:
                sketch.buckets[bucket_of(duration, gamma)] += 1
            else:
                sketch.zeros += 1
        return sketch

    def add(self, zeros: int, buckets: Mapping[int, int]) -> None:
        """Count in what another sketch of the same factor holds."""
        self.zeros += zeros
        self.buckets.update(buckets)

    @property
    def count(self) -> int:
        """How many durations it holds."""
        return self.zeros + self.buckets.total()

    def quantile_ns(self, quantile: float) -> float | None:
        """The duration below which that share of all lies, by the nearest rank; None of none."""
        total = self.count
        if not total:
            return None
        rank = max(1, math.ceil(quantile * total))
        seen = self.zeros
        if rank <= seen:
            return 0.0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if rank <= seen:
                return 2 * self.gamma**bucket / (self.gamma + 1)
        raise AssertionError("counts do not add up")
