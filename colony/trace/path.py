"""What of a trace mattered: the time spent in each span itself, the critical path, the chain of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colony.trace.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the critical path, in the colony's time: nothing but this span held up the root then."""

    node: int
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Frame:
    node: int
    floor_ns: int
    until_ns: int
    children: list[int]
    """Those that ended last at the end."""


def set_self_times(nodes: Sequence[Node]) -> None:
    """Each span's duration less the time in which a child of it ran."""
    for node in nodes:
        covered, reached = 0, node.start_ns
        for child in sorted((nodes[n] for n in node.children), key=lambda child: child.start_ns):
            begin, end = max(child.start_ns, reached), min(child.end_ns, node.end_ns)
            if end > begin:
                covered, reached = covered + end - begin, end
        node.self_ns = node.duration_ns - covered


def main_root(tree: Tree) -> int | None:
    """The root that the trace is about: one whose parent is not missing, then the longest."""
    return max(
        tree.roots,
        key=lambda n: (not tree.nodes[n].missing_parent_id, tree.nodes[n].duration_ns, -n),
        default=None,
    )


def critical_path(nodes: Sequence[Node], root: int) -> list[Step]:
    """From the root's start to its end without a gap: at each moment the span that everything waited for.

    Backwards from the end: the child that ended last is what a span waited for, then the one that had ended before it began.
    """
    found: list[Step] = []
    stack = [_frame(nodes, root, nodes[root].start_ns, nodes[root].end_ns)]
    while stack:
        frame = stack[-1]
        child = _awaited(nodes, frame)
        if child is None:
            stack.pop()
            _add(found, frame.node, frame.floor_ns, frame.until_ns)
            continue
        end = min(nodes[child].end_ns, nodes[frame.node].end_ns)
        _add(found, frame.node, end, frame.until_ns)
        begin = max(nodes[child].start_ns, frame.floor_ns)
        frame.until_ns = begin
        stack.append(_frame(nodes, child, begin, end))
    return found[::-1]


def _frame(nodes: Sequence[Node], node: int, floor_ns: int, until_ns: int) -> _Frame:
    return _Frame(node, floor_ns, until_ns, sorted(nodes[node].children, key=lambda n: (nodes[n].end_ns, n)))


def _awaited(nodes: Sequence[Node], frame: _Frame) -> int | None:
    """The child that ended last until then; one that outlives its parent ended with it."""
    while frame.children:
        child = frame.children.pop()
        end = min(nodes[child].end_ns, nodes[frame.node].end_ns)
        if frame.floor_ns < end <= frame.until_ns and nodes[child].start_ns < end:
            return child
    return None


def _add(steps: list[Step], node: int, start_ns: int, end_ns: int) -> None:
    if end_ns > start_ns:
        steps.append(Step(node, start_ns, end_ns))


def error_chain(nodes: Sequence[Node]) -> list[int]:
    """The failed spans from the one nearest the root down to where the failure began.

    Of all failed spans the one with the most failed ones above it, then the earliest. A span between that did not fail (a
    server that answered with a refusal, say) is left out.
    """
    failed_above: list[int] = []
    for node in nodes:  # parents come first
        above = 0 if node.parent is None else failed_above[node.parent]
        failed_above.append(above + node.span.is_error)
    failed = [number for number, node in enumerate(nodes) if node.span.is_error]
    at: int | None = max(failed, key=lambda n: (failed_above[n], -nodes[n].start_ns, -n), default=None)
    chain = []
    while at is not None:
        if nodes[at].span.is_error:
            chain.append(at)
        at = nodes[at].parent
    return chain[::-1]
