"""What a tool is, and what it may use."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from colony.answer.told import Told
from colony.clock import Clock
from colony.desk import Desk
from colony.errors import InvalidQuestion
from colony.tools.arguments import Arguments

CALLER = "mcp"
_BOOKMARK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: the desk's cursor, and the window when the first page had to be fixed to one."""

    cursor: str
    start_ns: int | None = None
    end_ns: int | None = None


class Bookmarks:
    """Cursors under short names: one of many agents takes kilobytes, which a model would have to repeat."""

    def __init__(self, max_bytes: int = _BOOKMARK_BYTES) -> None:
        self._kept: LRUCache[str, Place] = LRUCache(max_bytes, getsizeof=lambda place: len(place.cursor) + 256)

    def put(self, place: Place) -> str:
        """The name of a place."""
        name = secrets.token_hex(6)
        self._kept[name] = place
        return name

    def get(self, name: str) -> Place:
        """The place of a name.

        Raises:
            InvalidQuestion: it is not known, or not any more.
        """
        place = self._kept.get(name.strip())
        if place is None:
            raise InvalidQuestion("cursor is not known any more; ask again without it")
        return place


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tools answer from, and how long their answers may be."""

    desk: Desk
    clock: Clock
    answer_tokens: int = 6000
    bookmarks: Bookmarks = field(default_factory=Bookmarks)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by its name; ``answer`` raises ``ColonyError`` for what cannot be answered."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    answer: Callable[[Surroundings, Any], Awaitable[Told]]
