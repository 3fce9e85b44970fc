"""What queries before this one have read of segments, and no write changes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from agent.store.block import Block, Extent

REMEMBERED = 1024
"""Counts and sums of sealed segments: of an hour's twelve for eighty questions."""

ORIGINS_BYTES = 4 << 20
"""Of Resources and scopes that are remembered: a hundred of some hundred bytes each in every segment, with much to spare."""

LARGEST_ORIGIN = 16 << 10
"""Bytes of one that is remembered."""

BLOCKS_BYTES = 16 << 20
"""Of blocks: what is asked for lies mostly in the newest ten, and one is read by every page of each service in it."""

LARGEST_BLOCK = 2 << 20
"""Bytes of one that is remembered: of spans of 600 bytes a block takes 0.9 MiB, and wide rows must not push out others."""

Selected = list[tuple[Any, ...]]
OriginRow = Mapping[str, object]


def origin_bytes(origin: OriginRow) -> int:
    """What an origin takes in memory, about."""
    return sum(map(sys.getsizeof, origin.values()))


class Blocks:
    """The blocks that were read last, with what has been unpacked of them, by segment and extent; for any thread."""

    def __init__(self) -> None:
        self._blocks: LRUCache[tuple[str, Extent], Block] = LRUCache(BLOCKS_BYTES, lambda block: block.unpacked_bytes)
        self._lock = threading.Lock()

    def get(self, segment: str, extent: Extent) -> Block | None:
        """The block of these rows, which no write changes."""
        with self._lock:
            return self._blocks.get((segment, extent))

    def put(self, segment: str, block: Block) -> None:
        """Keep it, unless it is too large."""
        key = segment, block.extent
        with self._lock:
            if key not in self._blocks and block.unpacked_bytes <= LARGEST_BLOCK:
                self._blocks[key] = block


@dataclass(frozen=True, slots=True)
class Remembered:
    """``counts`` and ``origins`` are read and written by whoever holds the store's lock."""

    counts: LRUCache[tuple[str, tuple[object, ...]], Selected] = field(default_factory=lambda: LRUCache(REMEMBERED))
    """Of sealed segments, by statement."""
    origins: LRUCache[tuple[str, int], OriginRow] = field(default_factory=lambda: LRUCache(ORIGINS_BYTES, origin_bytes))
    """By segment and hash; reading one from a file takes DuckDB a millisecond."""
    blocks: Blocks = field(default_factory=Blocks)
