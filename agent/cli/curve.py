"""Pure: what is plotted of a thinned series, one number for each stretch of time that has one."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from coral.agent.v1 import telemetry_query_pb2 as api

from agent.clock import SECOND_NS

_COUNTING = {api.METRIC_TYPE_HISTOGRAM, api.METRIC_TYPE_EXPONENTIAL_HISTOGRAM, api.METRIC_TYPE_SUMMARY}


@dataclass(frozen=True, slots=True)
class Grid:
    """A window cut into slots of one length."""

    start_ns: int
    end_ns: int
    step_ns: int

    @property
    def slots(self) -> int:
        """How many there are."""
        return -(-(self.end_ns - self.start_ns) // self.step_ns)


@dataclass(frozen=True, slots=True)
class Curve:
    """The numbers by slot (None: nothing known), what they are, and in which unit."""

    caption: str
    unit: str
    values: list[float | None]
    last: float | None
    """The newest number."""
    has_zero: bool
    """Whether the plot begins at zero: rates and amounts do, levels do not."""


def curve_of(series: api.Series, grid: Grid) -> Curve:
    """What a person wants to see of a series of this type.

    A monotonic cumulative sum as its growth per second, a delta sum as what each step added, a histogram or summary as the
    mean of its observations, everything else as the last value.
    """
    is_delta = series.temporality == api.AGGREGATION_TEMPORALITY_DELTA
    steps = [step for step in series.steps if step.HasField("last")]
    if series.type in _COUNTING:
        numbers = _means(steps, is_delta=is_delta)
        return _curve("mean of the observations in each step", series.unit, numbers, grid, has_zero=True)
    if series.type == api.METRIC_TYPE_SUM and is_delta:
        added = [(_time_ns(step), step.sum) for step in steps]
        return _curve("added in each step", series.unit, added, grid, has_zero=True)
    if series.type == api.METRIC_TYPE_SUM and series.is_monotonic:
        return _curve("per second, from a cumulative sum", f"{series.unit or '1'}/s", _rates(steps), grid, has_zero=True)
    return _curve("last of each step", series.unit, [(_time_ns(step), step.last) for step in steps], grid, has_zero=False)


def _curve(caption: str, unit: str, numbers: list[tuple[int, float]], grid: Grid, *, has_zero: bool) -> Curve:
    finite = [(time_ns, number) for time_ns, number in numbers if math.isfinite(number)]
    last = finite[-1][1] if finite else None
    return Curve(caption, "" if unit == "1" else unit, _by_slot(finite, grid), last, has_zero)


def _time_ns(step: api.Step) -> int:
    return step.time.ToNanoseconds()


def _rates(steps: Sequence[api.Step]) -> list[tuple[int, float]]:
    """Growth per second since the step before; the first has none."""
    return [
        (_time_ns(step), _growth(before, step) * SECOND_NS / (_time_ns(step) - _time_ns(before)))
        for before, step in itertools.pairwise(steps)
    ]


def _growth(before: api.Step, step: api.Step) -> float:
    """How much was counted since ``before``; a count that falls began again at zero, within the step or between the two."""
    if step.max > step.last:
        return max(step.max - before.last, 0.0) + step.last
    return step.last - before.last if step.last >= before.last else step.last


def _means(steps: Sequence[api.Step], *, is_delta: bool) -> list[tuple[int, float]]:
    """What the observations since the step before came to on average; of a delta, those of the step's last point."""
    found = []
    nothing = api.Step()
    for before, step in zip([nothing, *steps], steps, strict=False):
        if is_delta:
            since = nothing
        elif before is nothing:
            continue
        else:
            since = nothing if step.observations < before.observations else before
        count = step.observations - since.observations
        if count:
            found.append((_time_ns(step), (step.last - since.last) / count))
    return found


def _by_slot(numbers: list[tuple[int, float]], grid: Grid) -> list[float | None]:
    """Each number in its slot and the empty ones before it, unless a sender that reports at intervals fell silent there."""
    values: list[float | None] = [None] * grid.slots
    at = [(max(0, min((time_ns - grid.start_ns) // grid.step_ns, grid.slots - 1)), number) for time_ns, number in numbers]
    gaps = [max(later[0] - earlier[0], 1) for earlier, later in itertools.pairwise(at)]
    usual = 2 * statistics.median(gaps) if gaps else 1
    for (slot, number), gap in zip(at, [1, *gaps], strict=False):
        for filled in range(slot - gap + 1 if gap <= usual else slot, slot + 1):
            values[filled] = number
    return values
