"""How often each rule fired, and a bounded memo of answers; both are shared by the query threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable


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
