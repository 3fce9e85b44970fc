"""Bad records set aside: checks over columns, each with its reason, and the counts per request that become Receipts.

A check is a mask over the whole group, so that a group without a bad record pays one comparison per check.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.arrays import Mask, Numbers, booleans_of, numbers_of, sizes_of
from agent.batch import Receipt
from agent.decode.columns import LATEST_NS, Flat

MAX_ENTRIES = 4096
"""Of attributes, of events, of links in one record; SDKs stop at 128."""

LONGEST_NAME = 16 << 10
"""Bytes of a span's name, or of a metric's name and unit: DuckDB, which has 64 MiB or 128, reads 2,048 of them at once."""


@dataclass(frozen=True, slots=True)
class Check:
    """One way for a record to be bad.

    ``bad`` gives the mask of bad records, or None when there is none. ``reason`` is the label that counters carry; ``hint``
    tells the sender what would be right. With ``keep``, the records stay and the sender is warned.
    """

    reason: str
    hint: str
    bad: Callable[[Flat], Mask | None]
    keep: bool = False


def some(mask: Mask) -> Mask | None:
    """The mask when it marks anything."""
    return mask if mask.any() else None


def unreadable_resource(flat: Flat) -> Mask | None:
    """Records whose Resource does not parse."""
    if None not in flat.origins:
        return None
    return np.array([origin is None for origin in flat.origins])[flat.scope]


RESOURCE = Check(
    "invalid_resource",
    "under a resource that is not valid protobuf, or it or the scope is larger than 256 KiB, or service.name than 4 KiB",
    unreadable_resource,
)


def named(*fields: str) -> Check:
    """Records whose name, these fields together, is longer than is kept."""

    def bad(flat: Flat) -> Mask | None:
        sizes = (sizes_of(flat.columns.field(field)) for field in fields)
        return some(functools.reduce(np.add, sizes) > LONGEST_NAME)

    return Check("name_too_long", f"with a name, or name and unit, of more than {LONGEST_NAME >> 10} KiB", bad)


def late(*fields: str) -> Callable[[Flat], Mask | None]:
    """Records with a time after the latest that can be kept."""

    def bad(flat: Flat) -> Mask | None:
        times = [numbers_of(flat.columns.field(field)) for field in fields]
        return some(functools.reduce(np.maximum, times) > LATEST_NS)

    return bad


def crowded(max_entries: int, *fields: str) -> Callable[[Flat], Mask | None]:
    """Records with more attributes, events or the like than are kept: no record costs more than a hundred ordinary ones."""

    def bad(flat: Flat) -> Mask | None:
        sizes = (sizes_of(flat.columns.field(field)) for field in fields)
        return some(functools.reduce(np.maximum, sizes) > max_entries)

    return bad


def foreign(owns: Callable[[str], bool]) -> Callable[[Flat], Mask | None]:
    """Records of a service that is not one of ours."""

    def bad(flat: Flat) -> Mask | None:
        ours = [origin is None or owns(origin.service_name) for origin in flat.origins]
        return None if all(ours) else ~np.array(ours)[flat.scope]

    return bad


@dataclass(slots=True)
class Refusals:
    """Counts of refused records, by request and reason, and what senders are warned of."""

    counts: dict[int, Counter[str]] = field(default_factory=dict)
    warned: dict[int, Counter[str]] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)

    def note(self, check: Check, requests: Numbers) -> None:
        """Count one refusal, or one warning, for each entry of ``requests``."""
        self.hints[check.reason] = check.hint
        counts = self.warned if check.keep else self.counts
        for request, count in Counter(requests.tolist()).items():
            counts.setdefault(request, Counter())[check.reason] += count

    def receipts(self, totals: Sequence[int], noun: str) -> list[Receipt]:
        """One Receipt per request; ``totals`` are the records each held."""
        return [self._receipt(index, total, noun) for index, total in enumerate(totals)]

    def _receipt(self, index: int, total: int, noun: str) -> Receipt:
        counts: Mapping[str, int] = self.counts.get(index, {})
        warned: Mapping[str, int] = self.warned.get(index, {})
        if not counts and not warned:
            return Receipt(total)
        refused = sum(counts.values())
        said = [f"{refused} of {total} {noun} refused: {self._reasons(counts)}"] if refused else []
        said += [f"kept, but: {self._reasons(warned)}"] if warned else []
        return Receipt(total - refused, dict(counts), ". ".join(said))

    def _reasons(self, counts: Mapping[str, int]) -> str:
        return "; ".join(f"{count} {self.hints[reason]}" for reason, count in counts.items())


def sift(flat: Flat, checks: Sequence[Check], refusals: Refusals | None = None) -> tuple[Flat, Refusals]:
    """The good records, and why the others are not: each refused record counts once, under its first reason.

    ``refusals`` are those of the same requests so far.
    """
    refusals = Refusals() if refusals is None else refusals
    for check in checks:
        bad = check.bad(flat)
        if bad is None:
            continue
        refusals.note(check, flat.request[bad])
        if check.keep:
            continue
        good = ~bad
        flat = Flat(flat.columns.filter(booleans_of(good)), flat.request[good], flat.scope[good], flat.origins)
    return flat, refusals
