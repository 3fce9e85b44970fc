"""Pure: the rows of many agents in one order, each row once, cut, with the place where each agent's rest begins.

Rows compare by what they are ordered by, then by agent, then as their agent ordered them: so the answer is the same in
whatever order agents answered. Equal keys alone can belong to equal rows: only there are contents compared.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from colony.signals import Row, Signal, is_descending

MAX_SHOWN = 64
"""Rows of a page's last key that its cursor remembers, so that an equal one from another agent is not shown behind it."""


class Place(NamedTuple):
    """A row's place in its agent's order: what the row is ordered by, in nanoseconds, then its arrival number."""

    key: int
    position: int

    def is_before(self, other: Place, *, descending: bool) -> bool:
        """Whether rows here come before those there."""
        return self > other if descending else self < other


@dataclass(frozen=True, slots=True)
class Shown:
    """How many rows of one content one agent has shown at a page's last key."""

    agent: str
    content: str
    times: int


@dataclass(slots=True)
class Stream:
    """What one agent has sent of its order. Its clock is ahead by ``shift_ns``: its times compare without it."""

    agent: str
    rows: Sequence[Row]
    has_more: bool = False
    shift_ns: int = 0
    used: int = 0
    last: Place | None = None

    def extend(self, rows: Iterable[Row], *, has_more: bool) -> None:
        """Add what the agent sent next."""
        self.rows = [*self.rows, *rows]
        self.has_more = has_more

    @property
    def is_dry(self) -> bool:
        """Whether all it has sent is used, and the agent has more."""
        return self.used == len(self.rows) and self.has_more


class Sent(NamedTuple):
    """A row and the agent that sent it."""

    agent: str
    row: Row


@dataclass(slots=True)
class Page:
    """Rows in order so far. ``dry`` are the agents whose next rows must come before anything else can be added."""

    rows: list[Sent] = field(default_factory=list)
    repeated: int = 0
    dry: tuple[str, ...] = ()
    boundary: int | None = None
    """What the last row is ordered by, in the colony's time."""
    shown: tuple[Shown, ...] = ()
    has_more: bool = False


def content(row: Row) -> str:
    """Everything a row says but its place on its agent, as a digest."""
    bare = type(row)()
    bare.CopyFrom(row)
    bare.ClearField("position")
    return hashlib.blake2b(bare.SerializeToString(deterministic=True), digest_size=8).hexdigest()


class Merge:
    """One page of an answer, made of streams that grow as agents send more."""

    def __init__(
        self, signal: Signal, order: int, limit: int, boundary: int | None = None, shown: Iterable[Shown] = ()
    ) -> None:
        """``boundary`` and ``shown`` are what the page before ended with."""
        self._signal = signal
        self._order = order
        self._limit = limit
        self._sign = -1 if is_descending(order) else 1
        self.page = Page(boundary=boundary)
        self._counts: dict[str, Counter[str]] = {}
        for each in shown:
            self._counts.setdefault(each.content, Counter())[each.agent] = each.times
        self._uncounted: list[Sent] = []
        self._group_agents: set[str] = {each.agent for each in shown}

    def run(self, streams: Mapping[str, Stream]) -> Page:
        """Go on until the page is full, every stream has ended, or one has run dry; call again when it has been extended."""
        page = self.page
        heap = [self._head(stream) for stream in streams.values() if stream.used < len(stream.rows)]
        heapq.heapify(heap)
        page.dry = tuple(sorted(name for name, stream in streams.items() if stream.is_dry))
        while heap and len(page.rows) < self._limit and not page.dry:
            signed, agent, _, key = heap[0]
            stream = streams[agent]
            self._take(stream, signed * self._sign, key)
            if stream.used < len(stream.rows):
                heapq.heapreplace(heap, self._head(stream))
                continue
            heapq.heappop(heap)
            if stream.has_more:
                page.dry = (agent,)
        page.has_more = any(stream.used < len(stream.rows) or stream.has_more for stream in streams.values())
        if len(page.rows) >= self._limit:
            page.dry = ()
        page.shown = self._remembered(streams)
        return page

    def _head(self, stream: Stream) -> tuple[int, str, int, int]:
        """Where the stream's next row stands among all: its signed key, its agent, its number; and its own key."""
        row = stream.rows[stream.used]
        key = self._signal.key(row, self._order, stream.last.key if stream.last else 0)
        return self._sign * (key - stream.shift_ns), stream.agent, stream.used, key

    def _take(self, stream: Stream, compared: int, key: int) -> None:
        """Use a stream's next row: show it unless another agent has shown its equal."""
        row = stream.rows[stream.used]
        stream.used += 1
        stream.last = Place(key, row.position)
        sent, boundary = Sent(stream.agent, row), self.page.boundary
        if compared == boundary:
            if self._repeats(sent):
                self.page.repeated += 1
                return
        elif boundary is None or self._sign * compared > self._sign * boundary:
            self.page.boundary = compared
            self._counts, self._uncounted, self._group_agents = {}, [sent], {stream.agent}
        # Else it arrived late, or its agent was away: before the boundary nothing is compared.
        self.page.rows.append(sent)

    def _repeats(self, sent: Sent) -> bool:
        """Whether another agent has shown this row as often: of rows equal at several agents the most of one count."""
        self._group_agents.add(sent.agent)
        if len(self._group_agents) == 1:
            self._uncounted.append(sent)
            return False
        self._count()
        counts = self._counts.setdefault(content(sent.row), Counter())
        counts[sent.agent] += 1
        return any(times >= counts[sent.agent] for agent, times in counts.items() if agent != sent.agent)

    def _count(self) -> None:
        for sent in self._uncounted:
            self._counts.setdefault(content(sent.row), Counter())[sent.agent] += 1
        self._uncounted = []

    def _remembered(self, streams: Mapping[str, Stream]) -> tuple[Shown, ...]:
        """What the next page must know of this one's last key: nothing, unless another agent may have rows of the same."""
        last = self.page.boundary
        if last is None or not self._group_agents:
            return ()
        may_follow = {
            name for name, s in streams.items() if s.is_dry or (s.used < len(s.rows) and self._head(s)[0] == self._sign * last)
        }
        if not may_follow or len(may_follow | self._group_agents) == 1:
            return ()
        self._count()
        found = [Shown(agent, what, times) for what, counts in self._counts.items() for agent, times in counts.items()]
        return tuple(sorted(found, key=lambda each: (each.content, each.agent))[:MAX_SHOWN])


def behind(rows: Iterable[Row], after: Place, signal: Signal, order: int) -> list[Row]:
    """The rows behind a place: all of them, unless the agent is too old to begin there by itself."""
    kept, key, is_down = [], after.key, is_descending(order)
    for row in rows:
        key = signal.key(row, order, key)
        if after.is_before(Place(key, row.position), descending=is_down):
            kept.append(row)
    return kept
