"""Rows of many agents for a model: a base time, offsets, names told once, and attributes as long as the budget allows.

Attributes go before rows, those of rows that did not fail first; then rows from the end, and the answer says how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.answer.span import event_texts, status_text
from colony.answer.told import Facts, Told, head_of, missing_text, room, told
from colony.answer.words import (
    attributes_text,
    counted,
    duration_text,
    kind_text,
    level_text,
    number_text,
    offset_text,
    one_line,
    plain,
    size_of,
    time_text,
)
from colony.merge import Sent
from colony.question import Answer
from colony.signals import span_duration_ns, time_ns

_LADDER = ((4000, 100), (1000, 60), (300, 40), (120, 30), (48, 16), (24, 8), (0, 0))
"""Characters a value, attributes a row: of rows that failed one step more than of others."""

_LONGEST_BODY = 4
"""A body may be so many times as long as a value, and is never cut to less than 60 characters."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to tell: what it is, in words; the rows; what else to say."""

    answer: Answer
    rows: Sequence[Sent]
    what: str
    one: str
    many: str = ""
    notes: Sequence[str] = ()
    cursor: str = ""
    horizon: str = ""
    """Since when there is anything, when that is later than what was asked for."""


Line = Callable[[Sent, "Frame", tuple[int, int]], str]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows of a page share: the base of offsets, the labels of traces, attributes that every row has."""

    base_ns: int
    traces: Mapping[str, str]
    shared: Mapping[str, str]
    services: int
    shows_resource: bool = False


def tell_spans(page: Page, tokens: int) -> Told:
    """Spans, one a line."""
    return _tell(page, tokens, lambda sent: time_ns(sent.row.start_time), span_line)


def tell_logs(page: Page, tokens: int) -> Told:
    """Log records, one a line."""
    return _tell(page, tokens, log_time_ns, log_line)


def tell_points(page: Page, tokens: int) -> Told:
    """Data points, one a line."""
    return _tell(page, tokens, lambda sent: time_ns(sent.row.time), point_line)


def lines_of_spans(rows: Sequence[Sent], space: int) -> tuple[str, list[str]]:
    """The top line and a line for each span that fits, with as much of its attributes as does."""
    for form in (*_LADDER, _LADDER[-1]):
        top, lines = _lines(rows, lambda sent: time_ns(sent.row.start_time), span_line, (form, form), space)
        if len(lines) == len(rows):
            break
    return top, lines


def _tell(page: Page, tokens: int, moment: Callable[[Sent], int], line: Line) -> Told:
    space = room(_head(page, len(page.rows)), _facts(page, len(page.rows), ["x" * 200]), tokens)
    rows = page.rows
    steps = list(zip((*_LADDER, _LADDER[-1]), (_LADDER[0], *_LADDER), strict=True))
    for forms in steps:
        top, lines = _lines(rows, moment, line, forms, space)
        if len(lines) == len(rows):
            break
    while len(lines) < len(rows):  # a shorter page has a shorter legend
        rows = rows[: max(1, min(len(rows) - 1, len(lines) or len(rows) // 2))] if len(rows) > 1 else ()
        top, lines = _lines(rows, moment, line, (_LADDER[-1], _LADDER[-1]), space)
    note = (
        ["attribute values and bodies are cut to fit: ask for fewer rows, or one span with span_id"]
        if forms != steps[0]
        else []
    )
    facts = _facts(page, len(lines), note)
    return told(_head(page, len(page.rows) - len(lines)), [top, *lines] if lines else [], facts, len(lines))


_Form = tuple[int, int]


def _lines(
    rows: Sequence[Sent], moment: Callable[[Sent], int], line: Line, forms: tuple[_Form, _Form], space: int
) -> tuple[str, list[str]]:
    """The top line, and those of the rows that fit with it; ``forms`` are of usual and of failed rows."""
    normal, failed = forms
    frame, top = _frame(rows, moment, has_details=normal[0] >= 120)
    every = (line(sent, frame, failed if _is_failed(sent.row) else normal) for sent in rows)
    return top, _first(every, space - size_of(top))


def _first(lines: Iterable[str], space: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        space -= size_of(line) + 1
        if space < 0:
            break
        kept.append(line)
    return kept


def _facts(page: Page, shown: int, notes: Sequence[str]) -> Facts:
    answer = page.answer
    warned = [f"{one.agent}: {warning}" for one in answer.outcomes for warning in one.warnings]
    every = [*notes, *page.notes, *(one_line(text, 180) for text in (*answer.warnings, *warned))]
    return Facts(shown, answer.total, answer.total_is_exact, page.cursor, answer.missing, every)


def _head(page: Page, cut: int) -> str:
    answer = page.answer
    total = f"{'' if answer.total_is_exact else 'at least '}{answer.total:,}"
    counts = f"{counted(len(page.rows) - cut, page.one, page.many)} of {total}"
    rest = [f"{cut} rows cut to fit the budget" if cut else "", page.horizon]
    missing = missing_text(answer.missing, len(answer.outcomes))
    return head_of(f"{page.what}: {counts}", missing, "; ".join(part for part in rest if part))


def _frame(rows: Sequence[Sent], moment: Callable[[Sent], int], *, has_details: bool) -> tuple[Frame, str]:
    """The frame, and the line that tells it."""
    base = min(map(moment, rows), default=0)
    counts = Counter(getattr(sent.row, "trace_id", "") for sent in rows)
    repeated = [trace for trace, times in counts.items() if trace and times > 1]
    traces = {trace: f"T{number}" for number, trace in enumerate(repeated, 1)}
    shared = _shared(rows) if has_details and len(rows) > 1 else {}
    top = f"offsets from {time_text(base)}" if rows else ""
    if traces:
        top += " " + " ".join(f"{label}={trace}" for trace, label in traces.items())
    if shared:
        top += f" | every row: {attributes_text(shared, 120, 40)}"
    resources = {tuple(sorted(sent.row.resource_attributes.items())) for sent in rows} if has_details else set()
    if len(resources) == 1:
        named = {key: value for key, value in rows[0].row.resource_attributes.items() if key != "service.name"}
        top += f" | resource: {attributes_text(named, 120, 20)}" if named else ""
    return Frame(base, traces, shared, len({sent.row.service_name for sent in rows}), len(resources) > 1), top


def _shared(rows: Sequence[Sent]) -> dict[str, str]:
    """Attributes that every row has with the same short value."""
    found = {key: value for key, value in rows[0].row.attributes.items() if len(value) <= 120}
    for sent in rows[1:]:
        found = {key: value for key, value in found.items() if sent.row.attributes.get(key) == value}
    return found


def _is_failed(row: Any) -> bool:  # noqa: ANN401 a row of any signal
    return bool(getattr(row, "is_error", False) or getattr(row, "level", 0) >= 17)


def _details(attributes: Mapping[str, str], frame: Frame, form: tuple[int, int]) -> str:
    own = {key: value for key, value in attributes.items() if frame.shared.get(key) != value}
    text = attributes_text(own, *form)
    return f"{{{text}}}" if text else ""


def _who(sent: Sent, frame: Frame) -> str:
    agent = one_line(sent.agent, 32)
    return f"{one_line(sent.row.service_name, 48)}@{agent}" if frame.services > 1 else f"@{agent}"


def _trace(row: Any, frame: Frame) -> str:  # noqa: ANN401 a span or a record
    return f"trace={frame.traces.get(row.trace_id, row.trace_id)}" if row.trace_id else ""


def span_line(sent: Sent, frame: Frame, form: tuple[int, int]) -> str:
    """``+1.2ms 12.3ms POST /order server ERROR "…" trace=… span=… @node-1 {…}``."""
    span: api.Span = sent.row
    events = " | ".join(event_texts(span, *form)) if form[1] else ""
    named = {key: value for key, value in span.resource_attributes.items() if key != "service.name"}
    resource = attributes_text(named, *form) if frame.shows_resource and form[0] >= 1000 else ""
    parts = (
        offset_text(time_ns(span.start_time) - frame.base_ns),
        duration_text(max(0, span_duration_ns(span))),
        one_line(span.operation_name, 80),
        kind_text(span.kind),
        status_text(span, min(max(form[0], 60), 400)),
        _trace(span, frame),
        f"span={span.span_id}",
        _who(sent, frame),
        _details(span.attributes, frame, form),
        f"events: {events}" if events else "",
        f"resource: {resource}" if resource else "",
    )
    return " ".join(part for part in parts if part)


def log_time_ns(sent: Sent) -> int:
    """What a record is ordered by."""
    record: api.LogRecord = sent.row
    name = next((name for name in ("time", "observed_time", "arrival_time") if record.HasField(name)), "arrival_time")
    return time_ns(getattr(record, name))


def log_line(sent: Sent, frame: Frame, form: tuple[int, int]) -> str:
    """``+1.2ms ERROR "body" trace=… span=… @node-1 {…}``."""
    record: api.LogRecord = sent.row
    body = one_line(plain(record.body) or record.event_name, max(60, form[0] * _LONGEST_BODY))
    parts = (
        offset_text(log_time_ns(sent) - frame.base_ns),
        level_text(record.level),
        f'"{body}"',
        _trace(record, frame),
        f"span={record.span_id}" if record.span_id else "",
        _who(sent, frame),
        _details(record.attributes, frame, form),
    )
    return " ".join(part for part in parts if part)


def point_line(sent: Sent, frame: Frame, form: tuple[int, int]) -> str:
    """``+5s shop.orders 12 @node-1 {outcome=paid}``."""
    point: api.DataPoint = sent.row
    kind = api.MetricType.Name(point.type).removeprefix("METRIC_TYPE_").lower()
    unit = one_line(point.unit, 24)
    exemplar = next((one.trace_id for one in point.exemplars if one.trace_id), "")
    parts = (
        offset_text(time_ns(point.time) - frame.base_ns),
        one_line(point.metric_name, 80),
        _value_text(point),
        f"[{unit}]" if unit else "",
        kind,
        _who(sent, frame),
        _details(point.attributes, frame, form),
        f"exemplar trace={exemplar}" if exemplar else "",
    )
    return " ".join(part for part in parts if part)


def _value_text(point: api.DataPoint) -> str:
    if point.no_recorded_value:
        return "(no value)"
    which = point.WhichOneof("value")
    if which:
        return number_text(getattr(point, which))
    named = [(name, getattr(point, name)) for name in ("count", "sum", "min", "max") if point.HasField(name)]
    text = [f"{name}={number_text(value)}" for name, value in named]
    if point.count and point.HasField("sum"):
        text.append(f"mean={number_text(point.sum / point.count)}")
    text += [f"p{number_text(one.quantile * 100)}={number_text(one.value)}" for one in point.quantiles[:6]]
    return " ".join(text) or "(no value)"
