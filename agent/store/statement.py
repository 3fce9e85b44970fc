"""What the way out hands to the store, and what it is asked about: SQL text with bound parameters, and one place to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.store.bloom import Traces
from agent.store.segment import Bounds


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text and its bound parameters. The text holds names made by this program only, never a caller's words."""

    text: str
    parameters: Sequence[object]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one signal in one place: a segment's file, or its rows in memory.

    ``relation`` is the name to select from. A file's rows count only below ``below``: a flush that commits after this source
    was taken moves rows there which the source in memory still holds. ``bounds`` may be wider than the rows.
    """

    relation: str
    segment: str
    below: int | None
    bounds: Bounds
    is_fixed: bool = False
    """Whether its rows never change any more."""
    traces: Traces | None = None
    """Which traces may be there; None when nobody has looked."""
    ranges: tuple[tuple[int, int], ...] | None = None
    """The only arrivals, half-open, that count; None when all do."""
    among: str | None = None
    """A relation of the only arrivals that count, when conditions on cold columns have been answered."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on cold columns, all of which must hold.

    ``attributes`` has for each condition the wire forms of which one must be there; ``text`` must be in the body, folded.
    ``start_ns`` and ``end_ns`` (half-open; None is no bound) only spare looking at blocks without a row in that time.
    """

    attributes: tuple[tuple[bytes, ...], ...] = ()
    text: str = ""
    start_ns: int | None = None
    end_ns: int | None = None

    def overlaps(self, earliest_ns: int, latest_ns: int) -> bool:
        """Whether some of the times between these, both inclusive, are within."""
        return (self.start_ns is None or latest_ns >= self.start_ns) and (self.end_ns is None or earliest_ns < self.end_ns)

    def includes(self, earliest_ns: int, latest_ns: int) -> bool:
        """Whether all of them are."""
        return (self.start_ns is None or earliest_ns >= self.start_ns) and (self.end_ns is None or latest_ns < self.end_ns)
