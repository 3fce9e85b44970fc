"""One trace as a tree on a common time axis: what mattered is marked, what is missing is named."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from colony.cli.rows import status_text
from colony.cli.text import cell, duration_text, safe
from colony.trace.tree import Node
from colony.trace.whole import Trace

_BAR_WIDTH = 24
_DEEPEST = 30
"""Indents are drawn to this depth: a chain of a thousand spans would leave no room for names."""

_COMPLETE = {True: ("complete", "green"), False: ("incomplete", "bold red"), None: ("may be incomplete", "yellow")}


def heading(trace: Trace) -> list[Text]:
    """How much there is, how long it took, whether it is all, and why not."""
    failed = sum(node.span.is_error for node in trace.nodes)
    services = len({node.span.service_name for node in trace.nodes})
    agents = len({node.agent for node in trace.nodes})
    first = Text.assemble(
        ("trace ", "bold"),
        (safe(trace.trace_id), "bold"),
        f"  {len(trace.nodes):,} spans, {services:,} services, {agents:,} agents, ",
        (f"{failed:,} errors", "red" if failed else ""),
        f"  {duration_text(trace.duration_ns // 1000)}  ",
        _COMPLETE[trace.complete],
    )
    return [first, *(Text(safe(f"  {reason}"), "yellow") for reason in trace.reasons)]


def tree_table(trace: Trace) -> Table:
    """The tree, each span's place in time beside it. ``*``: on the critical path; ``!``: in the chain of errors."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True, width=2)
    table.add_column("SPAN", min_width=32)
    table.add_column("", no_wrap=True, width=_BAR_WIDTH)
    table.add_column("OFFSET", justify="right", no_wrap=True)
    table.add_column("DURATION", justify="right", no_wrap=True)
    table.add_column("SELF", justify="right", no_wrap=True)
    table.add_column("STATUS", max_width=32)
    table.add_column("AGENT", min_width=6)
    critical, failing = {step.node for step in trace.critical_path}, set(trace.error_chain)
    for number, node in enumerate(trace.nodes):
        if node.missing_parent_id:
            table.add_row("", cell(f"missing parent {node.missing_parent_id}", "yellow italic"))
        marks = ("*" if number in critical else " ") + ("!" if number in failing else " ")
        offset_us = (node.start_ns - trace.start_ns) // 1000
        table.add_row(
            Text(marks, "bold"),
            _name(node),
            Text(_bar(node, trace), "red" if node.span.is_error else "blue"),
            f"+{duration_text(offset_us)}",
            duration_text(node.duration_ns // 1000),
            duration_text(node.self_ns // 1000),
            status_text(node.span),
            cell(node.agent, "dim"),
        )
    return table


def _name(node: Node) -> Text:
    depth = node.depth + bool(node.missing_parent_id)
    guides = "  " * min(depth, _DEEPEST) + ("… " if depth > _DEEPEST else "")
    note = " (its parents go round in a circle)" if node.is_in_circle else ""
    return Text.assemble(
        (guides, "dim"),
        (safe(node.span.service_name), "bold red" if node.span.is_error else "cyan"),
        " ",
        safe(node.span.operation_name),
        (note, "yellow"),
        overflow="ellipsis",
        no_wrap=True,
    )


def _bar(node: Node, trace: Trace) -> str:
    """Where in the whole trace a span lies; the shortest is one cell."""
    whole = max(trace.duration_ns, 1)
    first = min((node.start_ns - trace.start_ns) * _BAR_WIDTH // whole, _BAR_WIDTH - 1)
    cells = max(1, min(round(node.duration_ns * _BAR_WIDTH / whole), _BAR_WIDTH - first))
    return "·" * first + "━" * cells + "·" * (_BAR_WIDTH - first - cells)


def notes(trace: Trace) -> list[Text]:
    """Clocks that were corrected, ids that are shared, spans that came twice."""
    found = [
        f"the clock of {skew.service_name} on {skew.agent} is {duration_text(abs(skew.ahead_ns) // 1000)} "
        f"{'ahead' if skew.ahead_ns > 0 else 'behind'}; its spans are shown where they can have been"
        for skew in trace.skews
    ]
    if trace.tree.shared_ids:
        found.append(f"{len(trace.tree.shared_ids)} span ids are shared by different spans; all are shown")
    if trace.tree.repeated:
        found.append(f"{trace.tree.repeated} spans came from two agents; each is shown once")
    return [Text(safe(line), "dim") for line in found]
