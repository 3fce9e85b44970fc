"""The command ``trace``: one trace, from every agent."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from colony.cli.commands.program import (
    ConfigOption,
    Output,
    OutputOption,
    TimeoutOption,
    as_dict,
    asked,
    commands,
    print_json,
    print_page,
)
from colony.cli.outcomes import missing_lines, outcomes_json, warning_lines
from colony.cli.trace import heading, notes, tree_table
from colony.quantity import Duration
from colony.question import TraceAnswer


@commands.command()
def trace(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="32 hexadecimal digits.")],
    *,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    timeout: TimeoutOption = Duration.of("10s"),  # noqa: B008 a constant
) -> None:
    """Show one trace of all agents as a tree in time."""
    answer = asked(config, lambda rooms: rooms.desk.trace(trace_id, "cli", timeout.seconds))
    if output is Output.JSON:
        print_json(trace_json(answer))
        return
    absent = Text("no agent keeps a span of this trace; an hour is all that is kept", "yellow")
    shown: list[RenderableType] = [*heading(answer.trace)] if answer.trace.nodes else [absent]
    if answer.trace.nodes:
        shown += [tree_table(answer.trace), *notes(answer.trace)]
    print_page([*shown, *missing_lines(answer.outcomes), *warning_lines(answer.warnings)])


def trace_json(answer: TraceAnswer) -> dict[str, Any]:
    """A trace for programs: spans depth first, parents by number."""
    found = answer.trace
    return {
        "trace_id": found.trace_id,
        "complete": found.complete,
        "reasons": list(found.reasons),
        "duration_ns": found.duration_ns,
        "spans": [
            {
                "agent": node.agent,
                "depth": node.depth,
                "parent": node.parent,
                "missing_parent_id": node.missing_parent_id,
                "corrected_start_ns": node.start_ns,
                "self_ns": node.self_ns,
                "span": as_dict(node.span),
            }
            for node in found.nodes
        ],
        "critical_path": [
            {"span": step.node, "start_ns": step.start_ns, "end_ns": step.end_ns} for step in found.critical_path
        ],
        "error_chain": list(found.error_chain),
        "skews": [{"agent": s.agent, "service_name": s.service_name, "ahead_ns": s.ahead_ns} for s in found.skews],
        "agents": outcomes_json(answer.outcomes),
        "warnings": list(answer.warnings),
    }
