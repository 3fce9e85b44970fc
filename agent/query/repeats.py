"""Rows equal in every field to one before them, on a page or across its edge; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

from agent.query.rows import Rows


def distinct(rows: Rows, key: str, shown: Iterable[Rows]) -> Rows:
    """The rows without those equal in every field to one before them. Equal rows have equal ``key``, which orders them.

    ``shown`` are rows of the first row's key that have been shown, a part at a time.
    """
    keys = rows[key]
    counts = Counter(keys)
    if not shown and len(counts) == len(keys):
        return rows  # nearly every page
    content = _contents(rows)
    seen = _among(list(map(content, range(counts[keys[0]]))), shown) if shown else set()
    kept = []
    for place, cell in enumerate(keys):
        if counts[cell] > 1 or cell == keys[0]:
            said = content(place)
            if said in seen:
                continue
            seen.add(said)
        kept.append(place)
    return rows.picked(kept)


def _among(asked: Sequence[Hashable], shown: Iterable[Rows]) -> set[Hashable]:
    """What of this has been shown; never more than a part of that is held."""
    seen: set[Hashable] = set()
    for part in shown:
        seen |= set(asked).intersection(map(_contents(part), range(len(part))))
    return seen


def _contents(rows: Rows) -> Callable[[int], Hashable]:
    """Everything that the row at a place says but its arrival."""
    columns = [list(rows[name]) for name in rows.names if name != "arrival"]
    return lambda place: tuple(tuple(cell) if isinstance(cell := column[place], list) else cell for column in columns)
