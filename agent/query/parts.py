"""Groups without a bound on how many: a statement whose answer is cut is asked again, by halves of its groups.

A bound on raw groups would show in the answer how many different raw values one scrubbed value stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """One of ``of`` shares of all groups, by their hash."""

    number: int = 0
    of: int = 1

    def halves(self) -> tuple[Share, Share]:
        """The same groups in two."""
        return Share(self.number, 2 * self.of), Share(self.number + self.of, 2 * self.of)


ALL = Share()


def in_parts(ask: Callable[[Share], Sequence[tuple[Any, ...]]], most: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows of every group, in answers of fewer than ``most``, which is what ``ask`` cuts an answer at."""
    shares = [ALL]
    while shares:
        share = shares.pop()
        rows = ask(share)
        if len(rows) < most:
            yield rows
        else:
            shares.extend(share.halves())
