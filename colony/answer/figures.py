"""Summaries for a model: a service in one line, its operations in rows, the minutes that are missing."""

from __future__ import annotations

from collections.abc import Sequence

from colony.answer.told import Facts, Told, head_of, room, told
from colony.answer.words import counted, duration_text, kind_text, listed, one_line, size_of, time_text
from colony.clock import MINUTE_NS
from colony.outcome import Outcome
from colony.summaries.told import Figures, OperationSummary, SummaryAnswer

_WORST_SLOTS = 5


def tell_summary(answer: SummaryAnswer, tokens: int, *, instead_of: Sequence[Outcome] = (), note: str = "") -> Told:
    """A summary; ``instead_of`` are the agents that did not answer when it stands for their rows."""
    minutes = (answer.end_ns - answer.start_ns) // MINUTE_NS
    kind = "requests" if answer.total_is_requests else "spans"
    what = (
        f"summary of {one_line(answer.service, 60)} over {counted(minutes, 'minute')} from {time_text(answer.start_ns)}, "
        f"by when spans ended: {kind} {_figures(answer.total)}"
    )
    silent = f"NO AGENT ANSWERED ({listed([f'{one.agent}: {one.reason}' for one in instead_of], 2, 100)})" if instead_of else ""
    gaps = f"minutes are missing of {counted(len(answer.gaps), 'agent')}: {listed(answer.gaps, 2, 90)}" if answer.gaps else ""
    missing = "; ".join(part for part in (silent, gaps) if part)
    notes = [note] if note else []
    if not answer.operations:
        hint = "no span of it in these minutes: look further back with time_range, or see coral_list_services"
        return told(head_of(what, missing, ""), (), Facts(missing=instead_of, notes=[*notes, hint]))
    notes.append(f"percentiles come from merged sketches, within {answer.relative_error:.0%} of themselves")
    return _rows(answer, tokens, what, missing, Facts(0, len(answer.operations), missing=instead_of, notes=notes))


def _rows(answer: SummaryAnswer, tokens: int, what: str, missing: str, facts: Facts) -> Told:
    """Operations: those that failed first, then the slowest, so that what is cut was neither."""
    space = room(head_of(what, missing, "99,999 operations not shown"), facts, tokens)
    ranked = sorted(answer.operations, key=lambda one: (-one.figures.errors, -(one.figures.p95_ns or 0)))
    lines: list[str] = ["operation kind count rate errors p50 p95 p99 traces"]
    for one in ranked:
        line = _line(one)
        space -= size_of(line) + 1
        if space < 0:
            break
        lines.append(line)
    shown = len(lines) - 1
    worst = _worst(answer)
    if worst and size_of(worst) + 1 <= space:
        lines.append(worst)
    cut = f"{counted(len(ranked) - shown, 'operation')} not shown" if shown < len(ranked) else ""
    facts = Facts(shown, facts.total, missing=facts.missing, notes=facts.notes)
    return told(head_of(what, missing, cut), lines, facts, shown)


def _line(one: OperationSummary) -> str:
    name = "(other operations)" if one.is_rest else one_line(one.operation, 80)
    traces = [f"failed={trace}" for trace in one.failed_trace_ids[:1]] + [f"slow={t}" for t in one.slowest_trace_ids[:1]]
    return " ".join([name, kind_text(one.kind) or "internal", _figures(one.figures), *traces])


def _figures(figures: Figures) -> str:
    times = (("p50", figures.p50_ns), ("p95", figures.p95_ns), ("p99", figures.p99_ns))
    shown = " ".join(f"{name}={duration_text(time)}" for name, time in times if time is not None)
    errors = f"errors={figures.errors}" + (f"({figures.error_share:.1%})" if figures.errors else "")
    return f"{figures.count} {figures.per_second:.3g}/s {errors} {shown}".strip()


def _worst(answer: SummaryAnswer) -> str:
    """The minutes with the highest P95."""
    slots = sorted(answer.slots, key=lambda slot: -(slot.figures.p95_ns or 0))[:_WORST_SLOTS]
    if len(answer.slots) < 2:
        return ""
    told_slots = [f"{time_text(slot.start_ns)[11:16]} {_figures(slot.figures)}" for slot in slots]
    return f"slowest {answer.slot_minutes}-minute stretches: " + " | ".join(told_slots)
