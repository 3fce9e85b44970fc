"""What queries before this one have read of segments, and no write changes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

REMEMBERED = 1024
"""Counts and sums of sealed segments: of an hour's twelve for eighty questions."""

ORIGINS_BYTES = 4 << 20
"""Of Resources and scopes that are remembered: a hundred of some hundred bytes each in every segment, with much to spare."""

LARGEST_ORIGIN = 16 << 10
"""Bytes of one that is remembered."""

Selected = list[tuple[Any, ...]]
OriginRow = Mapping[str, object]


def origin_bytes(origin: OriginRow) -> int:
    """What an origin takes in memory, about."""
    return sum(map(sys.getsizeof, origin.values()))


@dataclass(frozen=True, slots=True)
class Remembered:
    """Read and written by whoever holds the store's lock."""

    counts: LRUCache[tuple[str, tuple[object, ...]], Selected] = field(default_factory=lambda: LRUCache(REMEMBERED))
    """Of sealed segments, by statement."""
    origins: LRUCache[tuple[str, int], OriginRow] = field(default_factory=lambda: LRUCache(ORIGINS_BYTES, origin_bytes))
    """By segment and hash; reading one from a file takes DuckDB a millisecond."""
