"""What another's server answered, for a model: fenced, in its own lines, cut to the budget; the answer says what was left out.

Tempo's answers as rows: a series without the zeros that fill it, a search without what it says twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from colony.answer.told import Facts, Told, head_of, room, told
from colony.answer.words import attributes_text, counted, duration_text, fit, number_text, one_line, size_of, time_text
from colony.signals import span_duration_ns, time_ns

_LONGEST_LINE = 100_000
_MOST_POINTS = 24
_NOT_OURS = "the text is of another's server, which no agent scrubbed"


class OneSeries(Protocol):
    """A series of a metrics query."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        ...

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """Time in nanoseconds, and value."""
        ...


class OneTrace(Protocol):
    """A trace of a search."""

    @property
    def trace_id(self) -> str: ...  # noqa: D102 as its name
    @property
    def root_service(self) -> str: ...  # noqa: D102 as its name
    @property
    def root_name(self) -> str: ...  # noqa: D102 as its name
    @property
    def start_ns(self) -> int: ...  # noqa: D102 as its name
    @property
    def duration_ns(self) -> int: ...  # noqa: D102 as its name
    @property
    def matched(self) -> int: ...  # noqa: D102 as its name
    @property
    def spans(self) -> tuple[Any, ...]: ...  # noqa: D102 as its name


def compact(text: str) -> str:
    """JSON without its white space; anything else as it is."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text


def tell_foreign(server: str, tool: str, text: str, others: Sequence[str], tokens: int) -> Told:
    """Any answer."""
    whole = compact(text)
    lines = [one_line(line, _LONGEST_LINE) for line in whole.splitlines()]
    what = f"{one_line(tool, 64)} of the MCP server {server}: {counted(size_of(text), 'byte')}"
    notes = [f"not shown: {one_line(other, 80)}" for other in others[:2]]
    facts = Facts(notes=[*notes, _NOT_OURS], extra={"upstream": server})
    space = room(head_of(what, "", "x" * 60), facts, tokens)
    kept = _first(lines, space)
    left = 0 if kept == lines and len(whole) < _LONGEST_LINE else max(1, size_of(whole) - size_of("\n".join(kept)))
    cut = f"{left:,} bytes of it not shown: ask for less" if left > 0 else ""
    facts = Facts(size_of("\n".join(kept)), size_of(text), notes=facts.notes, extra={"upstream": server})
    return told(head_of(what, "", cut), kept, facts, len(kept))


def _first(lines: Sequence[str], space: int) -> list[str]:
    """The lines that fit, and the beginning of the next."""
    kept: list[str] = []
    for line in lines:
        if size_of(line) + 1 > space:
            if space > 16:
                kept.append(fit(line, space - 1))
            break
        space -= size_of(line) + 1
        kept.append(line)
    return kept


def tell_series(server: str, query: str, series: Sequence[OneSeries], tokens: int) -> Told:
    """Series, those with the highest values first."""
    ranked = sorted(series, key=lambda one: -max((abs(value) for _, value in one.points), default=0))
    what = f"{one_line(query, 200)} by {server}: {counted(len(ranked), 'series', 'series')}"
    return _rows(server, what, "series", [_series_line(one) for one in ranked], tokens)


def _series_line(one: OneSeries) -> str:
    labels = attributes_text(one.labels, 80, 8) or "(no label)"
    if len(one.points) == 1 and one.points[0][0] == 0:
        return f"{labels} {number_text(one.points[0][1])}"
    values = [value for _, value in one.points]
    some = [(at, value) for at, value in one.points if value]
    if not some:
        return f"{labels} 0 at all {len(values)} points"
    first, last = time_text(one.points[0][0])[11:19], time_text(one.points[-1][0])[11:19]
    figures = f"{len(values)} points {first} to {last}, {len(values) - len(some)} of them 0"
    top = f"max={number_text(max(values))} mean={number_text(sum(values) / len(values))} last={number_text(values[-1])}"
    step = -(-len(some) // _MOST_POINTS)
    shown = " ".join(f"{time_text(at)[11:19]}={number_text(value)}" for at, value in some[::step])
    return f"{labels} {top} ({figures}) {shown}" + (f" (every {step}th)" if step > 1 else "")


def tell_found(server: str, query: str, found: Sequence[OneTrace], tokens: int) -> Told:
    """Traces of a search, in the server's order."""
    what = f"{one_line(query, 200)} by {server}: {counted(len(found), 'trace')} (at most 20, not surely the newest)"
    return _rows(server, what, "trace", [_found_line(one) for one in found], tokens)


def _found_line(one: OneTrace) -> str:
    root = f"{one_line(one.root_service, 48)} {one_line(one.root_name, 72)}"
    spans = " | ".join(
        f"{span.span_id} {one_line(span.service_name, 40)} {one_line(span.operation_name, 60)} "
        f"{duration_text(span_duration_ns(span))} {time_text(time_ns(span.start_time))[11:]}{' ERROR' if span.is_error else ''}"
        for span in one.spans
    )
    head = f"trace={one.trace_id} {time_text(one.start_ns)} {duration_text(one.duration_ns)} {root}"
    return f"{head}, {counted(one.matched, 'span')} match: {spans}" if spans else head


def _rows(server: str, what: str, one: str, lines: Sequence[str], tokens: int) -> Told:
    facts = Facts(0, len(lines), notes=[_NOT_OURS], extra={"upstream": server})
    space = room(head_of(what, "", "x" * 60), facts, tokens)
    kept: list[str] = []
    for line in lines:
        space -= size_of(line) + 1
        if space < 0:
            break
        kept.append(line)
    hidden = len(lines) - len(kept)
    cut = f"{counted(hidden, one, f'{one}s' if one != 'series' else one)} not shown" if hidden else ""
    facts = Facts(len(kept), len(lines), notes=facts.notes, extra={"upstream": server})
    return told(head_of(what, "", cut), kept, facts, len(kept))
