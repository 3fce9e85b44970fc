"""Groups without a bound on how many: a statement whose answer is cut is asked again, by halves of its groups.

A bound on raw groups would show in the answer how many different raw values one scrubbed value stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.store.weight import UNBOUNDED, text_bytes


@dataclass(frozen=True, slots=True)
class Portion:
    """One of ``of`` portions of all groups, by their hash."""

    number: int = 0
    of: int = 1

    def halves(self) -> tuple[Portion, Portion]:
        """The same groups in two."""
        return Portion(self.number, 2 * self.of), Portion(self.number + self.of, 2 * self.of)


ALL = Portion()


FINEST = 1 << 12
"""Portions that are not halved for want of room: by then a group alone is too large."""


def in_parts(
    ask: Callable[[Portion, int], Sequence[tuple[Any, ...]]], most: int, room: int = UNBOUNDED, texts: Sequence[int] = ()
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows of every group, in answers of fewer than ``most``, which is what ``ask`` cuts an answer at.

    It cuts one as well whose columns ``texts`` take ``room`` bytes.
    """
    portions = [ALL]
    while portions:
        portion = portions.pop()
        rows = ask(portion, room)
        is_wide = text_bytes(rows, texts) >= room
        if len(rows) >= most or (is_wide and portion.of < FINEST):
            portions.extend(portion.halves())
        else:
            yield ask(portion, UNBOUNDED) if is_wide else rows
