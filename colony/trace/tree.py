"""Spans to a tree in which each span stands once, whatever their ids say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.merge import Sent, content
from colony.signals import span_duration_ns, time_ns

CALLED = {api.SPAN_KIND_SERVER: api.SPAN_KIND_CLIENT, api.SPAN_KIND_CONSUMER: api.SPAN_KIND_PRODUCER}
"""The kind on the other end of a call."""


@dataclass(slots=True)
class Node:
    """A span in its tree; ``parent`` and ``children`` are numbers of nodes.

    ``start_ns`` is the colony's time: what the span said, less ``shift_ns``. ``self_ns`` is spent in no child.
    """

    span: api.Span
    agent: str
    start_ns: int
    duration_ns: int
    parent: int | None = None
    children: list[int] = field(default_factory=list)
    depth: int = 0
    shift_ns: int = 0
    self_ns: int = 0
    missing_parent_id: str = ""
    """Set when it names a parent that no agent sent."""
    is_in_circle: bool = False
    """Set when its parents go round in a circle, which is cut above it."""

    @property
    def end_ns(self) -> int:
        """When it ended, in the colony's time."""
        return self.start_ns + self.duration_ns


@dataclass(slots=True)
class Tree:
    """Every span once, depth first; siblings go by start."""

    nodes: list[Node]
    roots: list[int]
    shared_ids: dict[str, list[int]] = field(default_factory=dict)
    """Span ids that several different spans have."""
    repeated: int = 0
    """Spans that another agent had sent too, equal in every field."""

    @property
    def missing_parents(self) -> dict[str, list[int]]:
        """The ids of parents that no agent sent, and their children."""
        found: dict[str, list[int]] = defaultdict(list)
        for number in self.roots:
            if self.nodes[number].missing_parent_id:
                found[self.nodes[number].missing_parent_id].append(number)
        return dict(found)


def tree_of(sent: Iterable[Sent], offsets_ns: Mapping[str, int] | None = None) -> Tree:
    """The tree of these spans; ``offsets_ns`` says how far each agent's clock is ahead."""
    rows, repeated = _distinct(sent)
    nodes = [_node(each, (offsets_ns or {}).get(each.agent, 0)) for each in rows]
    nodes.sort(key=lambda node: (node.start_ns, node.span.span_id, node.agent, node.span.position))
    by_id: dict[str, list[int]] = defaultdict(list)
    for number, node in enumerate(nodes):
        by_id[node.span.span_id].append(number)
    for number, node in enumerate(nodes):
        node.parent = _parent(number, nodes, by_id)
        if node.parent is None:
            node.is_in_circle = node.span.parent_span_id == node.span.span_id
            node.missing_parent_id = "" if node.is_in_circle else node.span.parent_span_id
    _cut_circles(nodes)
    roots: list[int] = []
    for number, node in enumerate(nodes):
        (roots if node.parent is None else nodes[node.parent].children).append(number)
    tree = Tree(nodes, roots, repeated=repeated)
    depth_first(tree)
    for number, node in enumerate(tree.nodes):
        tree.shared_ids.setdefault(node.span.span_id, []).append(number)
    tree.shared_ids = {key: numbers for key, numbers in tree.shared_ids.items() if len(numbers) > 1}
    return tree


def _node(sent: Sent, offset_ns: int) -> Node:
    span: api.Span = sent.row
    duration = max(0, span_duration_ns(span))
    return Node(span, sent.agent, time_ns(span.start_time) - offset_ns, duration, shift_ns=offset_ns)


def _distinct(sent: Iterable[Sent]) -> tuple[list[Sent], int]:
    """The spans without those that are equal in every field to one of another agent, and how many those were."""
    groups: dict[tuple[str, int], list[Sent]] = defaultdict(list)
    for each in sent:
        groups[each.row.span_id, time_ns(each.row.start_time)].append(each)
    kept: list[Sent] = []
    repeated = 0
    for group in groups.values():
        if len(group) == 1:  # nearly always: contents are costly to compare
            kept += group
            continue
        told = sorted(((each.agent, each.row.position, content(each.row), each) for each in group), key=lambda one: one[:3])
        distinct = {what: each for _, _, what, each in reversed(told)}
        kept += reversed(distinct.values())
        repeated += len(group) - len(distinct)
    return kept, repeated


def _parent(number: int, nodes: Sequence[Node], by_id: Mapping[str, list[int]]) -> int | None:
    """The node that a span stands under; None when it has no parent, or one that is not here."""
    node = nodes[number]
    caller_kind = CALLED.get(node.span.kind)
    for other in by_id[node.span.span_id]:
        if caller_kind is not None and nodes[other].span.kind == caller_kind:
            return other  # caller and callee share one id, as Zipkin's do
    if not node.span.parent_span_id:
        return None
    candidates = [other for other in by_id.get(node.span.parent_span_id, ()) if other != number]
    return min(candidates, key=lambda other: _distance(node, nodes[other], other), default=None)


def _distance(node: Node, other: Node, number: int) -> tuple[bool, bool, int]:
    """Of several spans with the parent's id the nearest: of the same service, then the one that was called, then the first."""
    return other.span.service_name != node.span.service_name, other.span.kind not in CALLED, number


def _cut_circles(nodes: Sequence[Node]) -> None:
    """Where parents go round in a circle, the earliest span of it becomes a root."""
    is_sound = [False] * len(nodes)
    for number in range(len(nodes)):
        path: list[int] = []
        on_path: set[int] = set()
        at: int | None = number
        while at is not None and not is_sound[at]:
            if at in on_path:
                first = min(path[path.index(at) :])
                nodes[first].parent, nodes[first].is_in_circle = None, True
                break
            path.append(at)
            on_path.add(at)
            at = nodes[at].parent
        for passed in path:
            is_sound[passed] = True


def depth_first(tree: Tree) -> None:
    """Number the nodes depth first, siblings by start; with a stack, since a trace may be deeper than Python recurses."""
    nodes = tree.nodes

    def by_start(numbers: Iterable[int]) -> list[int]:
        return sorted(numbers, key=lambda n: (nodes[n].start_ns, n))

    order: list[int] = []
    stack = [(number, 0) for number in reversed(by_start(tree.roots))]
    while stack:
        number, depth = stack.pop()
        nodes[number].depth = depth
        order.append(number)
        stack += [(child, depth + 1) for child in reversed(by_start(nodes[number].children))]
    at = {old: new for new, old in enumerate(order)}
    tree.nodes = [nodes[old] for old in order]
    tree.roots = sorted(at[number] for number in tree.roots)
    for node in tree.nodes:
        node.parent = None if node.parent is None else at[node.parent]
        node.children = sorted(at[child] for child in node.children)
    tree.shared_ids = {key: sorted(at[n] for n in numbers) for key, numbers in tree.shared_ids.items()}
