"""Clocks that disagree: a call that seems to begin before its caller, moved to where it can have been.

What an agent's clock is ahead by is known from polling and has been taken off already. What is left is seen between caller
and callee, on different processes: as in Jaeger, a callee that sticks out of its caller is moved into its middle, with all of
its process below it. Only what is shown moves; the span keeps what it said.
"""

from __future__ import annotations

from dataclasses import dataclass

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.trace.tree import Node, Tree, depth_first

LEAST_SKEW_NS = 1_000_000
"""A smaller skew is moved, but not worth a word."""


@dataclass(frozen=True, slots=True)
class Skew:
    """A process whose spans were moved: its clock was ahead by ``ahead_ns``, or behind by as much when below zero."""

    agent: str
    service_name: str
    ahead_ns: int


def process_of(node: Node) -> tuple[str, str, str]:
    """Whose clock a span was timed by: agent, service and instance."""
    resource = node.span.resource_attributes
    return node.agent, node.span.service_name, resource.get("service.instance.id", "") or resource.get("host.name", "")


def correct(tree: Tree) -> list[Skew]:
    """Move what sticks out, from the roots down; the processes that were moved, each once, by its first span."""
    skews: dict[tuple[str, str, str], Skew] = {}
    processes = [process_of(node) for node in tree.nodes]
    offsets = [node.shift_ns for node in tree.nodes]
    for number, node in enumerate(tree.nodes):
        if node.parent is not None:
            parent = tree.nodes[node.parent]
            is_same = processes[number] == processes[node.parent]
            further = parent.shift_ns - offsets[node.parent] if is_same else _sticks_out(parent, node)
            node.shift_ns += further
            node.start_ns -= further
        if abs(node.shift_ns) >= LEAST_SKEW_NS and processes[number] not in skews:
            skews[processes[number]] = Skew(node.agent, node.span.service_name, node.shift_ns)
    depth_first(tree)
    return sorted(skews.values(), key=lambda skew: (skew.agent, skew.service_name, skew.ahead_ns))


def _sticks_out(caller: Node, callee: Node) -> int:
    """How far a callee's clock must be ahead of its caller's, in nanoseconds; 0 when it may be right."""
    is_call = caller.span.kind == api.SPAN_KIND_CLIENT and callee.span.kind == api.SPAN_KIND_SERVER
    # A caller that failed may have hung up before the callee was done.
    must_end = is_call and not caller.span.is_error and callee.duration_ns <= caller.duration_ns
    if callee.start_ns >= caller.start_ns and not (must_end and callee.end_ns > caller.end_ns):
        return 0
    room = caller.duration_ns - callee.duration_ns
    return callee.start_ns - (caller.start_ns + (room // 2 if must_end else 0))
