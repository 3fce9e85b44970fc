"""Compressed buffers back to columns, or to single rows of them; ``pack.py`` is the way there; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent.arrays import Numbers
from agent.store.buffers import Buffers, offsets
from agent.store.pack import SIEVE_MIXED_TWICE, is_text
from agent.store.sieve import may_hold
from agent.store.tally import Forms
from agent.wires import WireLists, elements_of

_KEY_VALUES = pa.list_(pa.field("item", pa.binary(), nullable=False))


def unpack(buffers: Buffers, at: int, kind: pa.DataType, rows: int, *, attributes: bool) -> pa.Array:
    """The column of this type whose buffers begin at ``at``."""
    if attributes:
        lists = Attributes(buffers, at, rows).rows(range(rows))
        return pa.ListArray.from_arrays(
            pa.array(lists.ends, pa.int32()), lists.table.take(pa.array(lists.places)), type=_KEY_VALUES
        )
    null = None if buffers.is_empty(at) else buffers.numbers(at, rows).astype(bool)
    if null is not None and null.all():
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        ends = offsets(buffers.numbers(at + 1, rows))
        starts = pa.array(ends, mask=None if null is None else np.append(null, False))
        return pa.ListArray.from_arrays(starts, _values(buffers, at + 2, kind.value_type, int(ends[-1])), type=kind)
    values = _values(buffers, at + 1, kind, rows)
    return values if null is None else pc.if_else(pa.array(null), pa.scalar(None, kind), values)


def _values(buffers: Buffers, at: int, kind: pa.DataType, count: int) -> pa.Array:
    if is_text(kind):
        return buffers.texts(at, kind, count)
    return pa.array(buffers.numbers(at, count, kind.to_pandas_dtype()), kind)


class Attributes:
    """A column of attributes, of which only what is asked for is unpacked."""

    def __init__(self, buffers: Buffers, at: int, rows: int, tally: int | None = None) -> None:
        self._buffers = buffers
        self._rows = rows
        self._tally = tally
        self._sizes, self._all_codes, self._common, self._rare, self._sieve = at, at + 1, at + 2, at + 4, at + 6

    @cached_property
    def _ends(self) -> Numbers:
        """Where among the codes each row's end."""
        return offsets(self._buffers.numbers(self._sizes, self._rows))

    @cached_property
    def _codes(self) -> Numbers:
        """Of every attribute of every row: 0 for a rare one, or one more than its place among the common ones."""
        return self._buffers.numbers(self._all_codes, int(self._ends[-1]))

    @cached_property
    def _calls(self) -> Numbers:
        """Where the rare ones are called for."""
        return np.flatnonzero(self._codes == 0)

    @cached_property
    def _common_ends(self) -> Numbers:
        count = self._buffers.count_of_texts(self._common)
        return offsets(self._buffers.numbers(self._common, int(self._codes.max(initial=0)) if count is None else count))

    @cached_property
    def _rare_ends(self) -> Numbers:
        return offsets(self._buffers.numbers(self._rare, len(self._calls)))

    def having(self, forms: Forms) -> Numbers:
        """The indices of the rows in which one of these KeyValues stands, ascending, perhaps repeated.

        Most blocks have none: then neither codes nor rare ones are unpacked.
        """
        return self._rows_of(self._common_among(forms), self._rare_among(forms))

    def count_having(self, forms: Forms) -> int:
        """How many rows those are."""
        common, rare = self._common_among(forms), self._rare_among(forms)
        if not common and len(rare) < 2:
            return len(rare)  # what is rare stands in one row
        if len(common) == 1 and not rare and self._row_counts is not None:
            return int(self._row_counts[common[0]])
        return len(np.unique(self._rows_of(common, rare)))

    @cached_property
    def _row_counts(self) -> Numbers | None:
        """In how many rows each common one stands; None when that was not written."""
        if self._tally is None or self._buffers.is_empty(self._tally):
            return None
        return self._buffers.numbers(self._tally, len(self._common_ends) - 1)

    def _common_among(self, forms: Forms) -> list[int]:
        """Which common ones these are, of those that are there."""
        raw = self._buffers.raw(self._common + 1)
        if forms.head not in raw:
            return []
        return [number for wire in forms.wires if (number := _number(raw, lambda: self._common_ends, wire)) is not None]

    def _rare_among(self, forms: Forms) -> list[int]:
        """Which rare ones these are, of those that are there."""
        if self._tally is not None and not forms.may_share_a_key(self._buffers.raw(self._tally + 1)):
            return []
        sieve, mixed_once = self._buffers.raw(self._sieve), self._buffers.width(self._sieve) < SIEVE_MIXED_TWICE
        likely = [wire for wire in forms.wires if may_hold(sieve, wire, mixed_once=mixed_once)]
        if not likely:
            return []
        raw = self._buffers.raw(self._rare + 1)  # the filter is wrong now and then: the rest is unpacked when one is there
        return [number for wire in likely if (number := _number(raw, lambda: self._rare_ends, wire)) is not None]

    def _rows_of(self, common: Sequence[int], rare: Sequence[int]) -> Numbers:
        """The rows in which one of these common or rare ones stands, ascending, perhaps repeated."""
        places = [np.flatnonzero(self._codes == number + 1) for number in common]
        if rare:
            places.append(self._calls[sorted(rare)])
        if not places:
            return np.zeros(0, np.int64)
        return np.searchsorted(self._ends, np.sort(np.concatenate(places)) if len(places) > 1 else places[0], side="right") - 1

    def rows(self, indices: Sequence[int]) -> WireLists:
        """The KeyValues of these rows, in wire form."""
        rows = np.asarray(indices, np.intp)
        wanted, ends = elements_of(self._ends, rows)
        codes = self._codes[wanted]
        has = np.zeros(int(codes.max(initial=0)) + 1, bool)
        has[codes] = True
        common = np.flatnonzero(has[1:]) + 1
        called = np.flatnonzero(codes == 0)
        places = (np.cumsum(has) - 1 - has[0])[codes]
        places[called] = len(common) + np.arange(len(called))
        return WireLists(pa.concat_arrays([self._common_wires(common), self._rare_wires(wanted[called])]), places, ends)

    def _common_wires(self, codes: Numbers) -> pa.BinaryArray:
        """The common ones of these codes."""
        return self._buffers.chosen(self._common + 1, self._common_ends, codes - 1)

    def _rare_wires(self, calls: Numbers) -> pa.BinaryArray:
        """The rare ones that are called for at these places among the codes."""
        return self._buffers.chosen(self._rare + 1, self._rare_ends, np.searchsorted(self._calls, calls))


def _number(raw: bytes, ends: Callable[[], Numbers], wire: bytes) -> int | None:
    """Which of the texts that lie side by side it is; where they end is worked out when it seems to be one."""
    place = raw.find(wire)
    while place >= 0:
        number = int(ends().searchsorted(place + len(wire)))
        if number and ends()[number] == place + len(wire) and ends()[number - 1] == place:
            return number - 1
        place = raw.find(wire, place + 1)
    return None


def pick(buffers: Buffers, at: int, kind: pa.DataType, rows: int, indices: Sequence[int]) -> Sequence[Any]:
    """The values of the column whose buffers begin at ``at`` in these of its rows; for few rows far cheaper than ``unpack``."""
    places = np.asarray(indices, np.intp)
    values = _picked(buffers, at + 1, kind, rows, places)
    if buffers.is_empty(at):
        return values
    return [None if null else value for null, value in zip(buffers.picked(at, places), values, strict=True)]


def _picked(buffers: Buffers, at: int, kind: pa.DataType, rows: int, places: Numbers) -> Sequence[Any]:
    """The values at these places among ``rows``, null or not."""
    if pa.types.is_list(kind):
        return _picked_lists(buffers, at, kind.value_type, rows, places)
    if is_text(kind):
        if buffers.is_empty(at):
            return ["" if pa.types.is_string(kind) else b""] * len(places)
        bounds = offsets(buffers.numbers(at, rows))
        wires = buffers.parts(at + 1, bounds[places].tolist(), bounds[places + 1].tolist())
        return [wire.decode("utf-8", "replace") for wire in wires] if pa.types.is_string(kind) else wires
    if pa.types.is_boolean(kind):
        return list(map(bool, buffers.picked(at, places)))
    return buffers.picked(at, places, kind.to_pandas_dtype())


def _picked_lists(buffers: Buffers, at: int, kind: pa.DataType, rows: int, places: Numbers) -> Sequence[Any]:
    """The lists of this type's values at these places among ``rows``; those of messages are ``WireLists``."""
    ends = offsets(buffers.numbers(at, rows))
    elements, of_lists = elements_of(ends, places)
    if not pa.types.is_binary(kind):
        values = _picked(buffers, at + 1, kind, int(ends[-1]), elements) if len(elements) else ()
        return [list(values[low:high]) for low, high in pairwise(of_lists.tolist())]
    if not len(elements):
        return WireLists(pa.array([], pa.binary()), elements, of_lists)
    of_wires = offsets(buffers.numbers(at + 1, int(ends[-1])))
    return WireLists(buffers.chosen(at + 2, of_wires, elements), np.arange(len(elements)), of_lists)
