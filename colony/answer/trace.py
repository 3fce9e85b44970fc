"""One trace for a model: an indented tree in which roots, failures and the critical path are the last to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from colony.answer.span import event_texts, status_text
from colony.answer.told import Facts, Told, head_of, missing_text, room, told
from colony.answer.words import (
    Names,
    attributes_text,
    counted,
    duration_text,
    kind_text,
    listed,
    offset_text,
    one_line,
    size_of,
    time_text,
)
from colony.question import TraceAnswer
from colony.trace.tree import Node
from colony.trace.whole import Trace

_DEEPEST = 12
"""Indents grow to this depth; deeper spans say their depth."""

_LONGEST_NAME = 72
_SUFFIX_ROOM = 20
_LEAST_SELF = 100
"""A span that spent less than one in so many parts of its time itself only waited for its children: not worth a word."""
_DETAIL = (120, 24)
_SHORT_DETAIL = (48, 10)
_IMPORTANT_SHARE = 0.6
"""Of what the lines of important spans leave, for their attributes; the rest is for other spans."""

_COMPLETE = {True: "complete", False: "INCOMPLETE", None: "may be incomplete"}


def important(trace: Trace) -> list[int]:
    """The spans that go last, the most important first: root, chain of errors, critical path, failures, other roots."""
    awaited: Counter[int] = Counter()
    for step in trace.critical_path:
        awaited[step.node] += step.end_ns - step.start_ns
    ranked: list[int] = [] if trace.root is None else [trace.root]
    ranked += trace.error_chain
    ranked += sorted(awaited, key=lambda n: (-awaited[n], n))
    ranked += [number for number, node in enumerate(trace.nodes) if node.span.is_error]
    ranked += trace.tree.roots
    return list(dict.fromkeys(ranked))


def id_digits(trace: Trace) -> int:
    """How many digits tell the span ids of this trace apart, at least four."""
    ids = sorted({node.span.span_id for node in trace.nodes})
    shared = (next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 16) for one, two in pairwise(ids))
    return max(4, 1 + max(shared, default=0))


@dataclass(slots=True)
class _Telling:
    """Lines that are chosen so far, and the bytes that are left."""

    trace: Trace
    base_ns: int
    left: int
    digits: int
    critical: frozenset[int]
    processes: Names = field(default_factory=lambda: Names("S"))
    operations: Names = field(default_factory=lambda: Names("O"))
    repeated: frozenset[str] = frozenset()
    lines: dict[int, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    """What was said of a span, to the id that stands for it when another says the same."""

    def add_lines(self, numbers: Iterable[int]) -> bool:
        """Add lines until one does not fit; whether all did."""
        for number in numbers:
            if number in self.lines:
                continue
            node = self.trace.nodes[number]
            process, operation = self._process(node), one_line(node.span.operation_name, _LONGEST_NAME)
            cost = self.processes.cost(process)
            cost += self.operations.cost(operation) if operation in self.repeated else size_of(operation)
            cost += size_of(self._line(number, "S9999", "O9999")) + _SUFFIX_ROOM
            if cost > self.left:
                return False
            self.left -= cost
            label = self.operations.label(operation) if operation in self.repeated else operation
            self.lines[number] = self._line(number, self.processes.label(process), label)
        return True

    def add_details(self, numbers: Iterable[int], room_bytes: int, form: tuple[int, int]) -> None:
        """Add attributes and events to lines that are there, as far as this many bytes go."""
        for number in numbers:
            span = self.trace.nodes[number].span
            events = list(event_texts(span, *form))
            parts = [attributes_text(span.attributes, *form), *events]
            detail = " | ".join(part for part in parts if part)
            alike = self.details.get(detail)
            written = f"as {alike}" if alike and len(detail) > 3 + self.digits else detail
            cost = size_of(written) + 3
            if number not in self.lines or not detail or cost > min(room_bytes, self.left):
                continue
            self.details.setdefault(detail, span.span_id[: self.digits])
            room_bytes -= cost
            self.left -= cost
            self.lines[number] += f" {{{written}}}"

    def _process(self, node: Node) -> str:
        return f"{one_line(node.span.service_name, 48)}@{one_line(node.agent, 32)}"

    def _line(self, number: int, process: str, operation: str) -> str:
        node = self.trace.nodes[number]
        marks = ("*" if number in self.critical else "") + ("!" if node.span.is_error else "")
        indent = " " * min(node.depth, _DEEPEST) + (f"[depth {node.depth}] " if node.depth > _DEEPEST else "")
        parts = [
            f"{indent}{marks}{node.span.span_id[: self.digits]}",
            offset_text(node.start_ns - self.base_ns),
            duration_text(node.duration_ns),
            *(
                [f"self={duration_text(node.self_ns)}"]
                if node.children and node.self_ns * _LEAST_SELF >= node.duration_ns
                else []
            ),
            process,
            operation,
            kind_text(node.span.kind),
            status_text(node.span, 80),
            f"(parent {node.missing_parent_id} missing)" if node.missing_parent_id else "",
            "(parents go round in a circle)" if node.is_in_circle else "",
        ]
        return " ".join(part for part in parts if part)


def tell_trace(answer: TraceAnswer, tokens: int) -> Told:
    """The trace within ``tokens``, its first line saying what is missing and how many spans are not shown."""
    trace = answer.trace
    if not trace.nodes:
        return _tell_nothing(answer)
    notes = _notes(answer)
    longest = _facts(answer, 0, [*notes, "x" * 200])
    space = room(_head(answer, len(trace.nodes)), longest, tokens) - 64
    telling = _chosen(trace, space)
    hidden = len(trace.nodes) - len(telling.lines)
    notes = [*_left_out(trace, telling), *notes]
    lines = [f"{telling.processes.legend} {telling.operations.legend}".strip(), *_with_hidden(trace, telling.lines)]
    return told(_head(answer, hidden), lines, _facts(answer, len(telling.lines), notes), len(telling.lines))


def _chosen(trace: Trace, space: int) -> _Telling:
    counts = Counter(node.span.operation_name for node in trace.nodes)
    repeated = frozenset(one_line(name, _LONGEST_NAME) for name, times in counts.items() if times > 2 and len(name) > 10)
    critical = frozenset(step.node for step in trace.critical_path)
    telling = _Telling(trace, trace.start_ns, space, id_digits(trace), critical, repeated=repeated)
    first = important(trace)
    if not telling.add_lines(first):
        return telling
    telling.add_details(first, int(telling.left * _IMPORTANT_SHARE), _DETAIL)
    mattered = set(first)
    others = [number for number in range(len(trace.nodes)) if number not in mattered]
    others.sort(key=lambda n: (-trace.nodes[n].self_ns, n))
    telling.add_lines(others)
    telling.add_details([number for number in others if number in telling.lines], telling.left, _SHORT_DETAIL)
    return telling


def _with_hidden(trace: Trace, lines: dict[int, str]) -> Iterator[str]:
    """The chosen lines, depth first; each says how many spans below it are not shown."""
    nearest: list[int | None] = []
    below: Counter[int | None] = Counter()
    for number, node in enumerate(trace.nodes):
        above = None if node.parent is None else nearest[node.parent]
        nearest.append(number if number in lines else above)
        if number not in lines:
            below[above] += 1
    for number in sorted(lines):
        yield f"{lines[number]} (+{below[number]} below)" if below[number] else lines[number]


def _head(answer: TraceAnswer, hidden: int) -> str:
    trace = answer.trace
    failed = sum(node.span.is_error for node in trace.nodes)
    what = (
        f"trace {trace.trace_id}: {counted(len(trace.nodes), 'span')}, "
        f"{counted(len({node.span.service_name for node in trace.nodes}), 'service')}, {counted(failed, 'error')}, "
        f"{duration_text(trace.duration_ns)} from {time_text(trace.start_ns)}"
    )
    reasons = [reason.partition("; ")[0] for reason in trace.reasons if "agents did not answer" not in reason]
    state = _COMPLETE[trace.complete] + (f": {listed(reasons, 2, 140)}" if reasons else "")
    cut = f"{counted(hidden, 'span')} not shown" if hidden else ""
    missing = missing_text(answer.missing, len(answer.outcomes))
    return head_of(what, missing, "; ".join(part for part in (cut, state) if part))


def _tell_nothing(answer: TraceAnswer) -> Told:
    asked = len(answer.outcomes)
    what = f"trace {answer.trace.trace_id}: no span of it on the {counted(asked - len(answer.missing), 'agent')} that answered"
    hint = "agents keep about an hour; check the id, or find a newer trace with coral_query_raw_spans"
    facts = _facts(answer, 0, [hint, *_warnings(answer)])
    return told(head_of(what, missing_text(answer.missing, asked), ""), (), facts)


def _facts(answer: TraceAnswer, shown: int, notes: Sequence[str]) -> Facts:
    complete = {True: "yes", False: "no", None: "unknown"}[answer.trace.complete]
    return Facts(shown, len(answer.trace.nodes), missing=answer.missing, notes=notes, extra={"complete": complete})


def _left_out(trace: Trace, telling: _Telling) -> list[str]:
    """The spans that are not shown, by operation."""
    groups: Counter[str] = Counter()
    for number, node in enumerate(trace.nodes):
        if number not in telling.lines:
            groups[f"{node.span.service_name[:40]} {node.span.operation_name[:40]}"] += 1
    if not groups:
        return []
    shown = ", ".join(f"{times}x {one_line(name, 40)}" for name, times in groups.most_common(3))
    return [f"not shown: {shown}{', …' if len(groups) > 3 else ''}; ask for one with span_id"]


def _notes(answer: TraceAnswer) -> list[str]:
    trace = answer.trace
    found = [
        f"the clock of {one_line(skew.service_name, 40)} on {one_line(skew.agent, 40)} was {offset_text(skew.ahead_ns)} off; "
        "its spans are shown where they can have been"
        for skew in trace.skews[:2]
    ]
    if trace.tree.shared_ids:
        found.append(f"{counted(len(trace.tree.shared_ids), 'span id')} shared by different spans; all are counted")
    return found + _warnings(answer)


def _warnings(answer: TraceAnswer) -> list[str]:
    told_by_agents = [f"{one.agent}: {warning}" for one in answer.outcomes for warning in one.warnings]
    return [one_line(warning, 180) for warning in (*answer.warnings, *told_by_agents)]
