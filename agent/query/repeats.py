"""Rows equal in every field to one before them, on a page or across its edge; pure."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence

from agent.query.rows import Row


def distinct(rows: Sequence[Row], key: str, shown: Iterable[Sequence[Row]]) -> list[Row]:
    """The rows without those equal in every field to one before them. Equal rows have equal ``key``, which orders them.

    ``shown`` are rows of the first row's key that have been shown, a part at a time.
    """
    kept = []
    for number, (_, group) in enumerate(itertools.groupby(rows, lambda row: row[key])):
        alike = list(group)
        seen = set() if number else _among(alike, shown)
        if len(alike) == 1 and not seen:
            kept += alike  # nearly every row
            continue
        for row in alike:
            content = _content(row)
            if content not in seen:
                seen.add(content)
                kept.append(row)
    return kept


def _among(rows: Sequence[Row], shown: Iterable[Sequence[Row]]) -> set[Hashable]:
    """What of these rows has been shown; never more than a part of that is held."""
    asked: set[Hashable] = set()
    seen: set[Hashable] = set()
    for part in shown:
        asked = asked or set(map(_content, rows))
        seen |= asked.intersection(map(_content, part))
    return seen


def _content(row: Row) -> Hashable:
    """Everything a row says but its arrival."""
    return tuple(tuple(v) if isinstance(v, list) else v for name, v in row.items() if name != "arrival")
