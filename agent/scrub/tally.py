"""How often each rule fired, and a bounded memo of answers; both are shared by the query threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bytes, str)
Answer = TypeVar("Answer")


class Tally:
    """(rule, mode) to hits; a lock, for ``+=`` on a count is not atomic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, hits: Iterable[tuple[str, str]]) -> None:
        """Count these hits."""
        with self._lock:
            self._counts.update(hits)

    def take(self) -> dict[tuple[str, str], int]:
        """All counts since the last call."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return dict(counts)


class Memo(Generic[Key, Answer]):
    """Answers that are remembered: between ``entries`` and twice as many of those used last, no key longer than ``longest``."""

    def __init__(self, entries: int, longest: int) -> None:
        self._entries = entries
        self._longest = longest
        self._young: dict[Key, Answer] = {}
        self._old: dict[Key, Answer] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: Key) -> Answer | None:
        """The answer for a key; None for one that is not known."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self._young[key] = found
        return found

    def put(self, key: Key, answer: Answer) -> None:
        """Remember an answer."""
        if len(key) > self._longest:
            return
        if len(self._young) >= self._entries:
            self._old, self._young = self._young, {}
        self._young[key] = answer
