"""One trace as it is told: the tree, what mattered, whether it is complete and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from colony.clock import SECOND_NS
from colony.merge import Sent
from colony.trace.clocks import Skew, correct
from colony.trace.path import Step, critical_path, error_chain, main_root, set_self_times
from colony.trace.tree import Node, Tree, tree_of

SETTLING_NS = 10 * SECOND_NS
"""SDKs send every five seconds, and a span when it ends: of a trace that ended later than this ago more may come."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is known to be missing.

    ``silent`` are agents that did not answer; ``horizons_ns`` says since when each agent that did keeps everything; ``is_cut``
    that there are more spans than were asked for.
    """

    now_ns: int
    silent: Sequence[str] = ()
    is_cut: bool = False
    horizons_ns: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace. ``complete`` is True, False, or None when nobody can know; ``reasons`` say why it is not True."""

    trace_id: str
    tree: Tree
    complete: bool | None
    reasons: tuple[str, ...]
    root: int | None
    critical_path: tuple[Step, ...] = ()
    error_chain: tuple[int, ...] = ()
    skews: tuple[Skew, ...] = ()

    @property
    def nodes(self) -> list[Node]:
        """Its spans, depth first."""
        return self.tree.nodes

    @property
    def start_ns(self) -> int:
        """When it began, in the colony's time."""
        return min((node.start_ns for node in self.nodes), default=0)

    @property
    def duration_ns(self) -> int:
        """From its first start to its last end."""
        return max((node.end_ns for node in self.nodes), default=0) - self.start_ns


def trace_of(trace_id: str, sent: Iterable[Sent], gaps: Gaps, offsets_ns: Mapping[str, int] | None = None) -> Trace:
    """The trace that these spans make."""
    tree = tree_of(sent, offsets_ns)
    skews = correct(tree)
    set_self_times(tree.nodes)
    root = main_root(tree)
    complete, reasons = _completeness(tree, gaps)
    return Trace(
        trace_id,
        tree,
        complete,
        tuple(reasons),
        root,
        () if root is None else tuple(critical_path(tree.nodes, root)),
        tuple(error_chain(tree.nodes)),
        tuple(skews),
    )


def _completeness(tree: Tree, gaps: Gaps) -> tuple[bool | None, list[str]]:
    lacking = _lacking(tree, gaps)
    doubts = _doubts(tree, gaps)
    if lacking:
        return False, lacking + doubts
    return (None, doubts) if doubts else (True, [])


def _lacking(tree: Tree, gaps: Gaps) -> list[str]:
    """What is surely missing."""
    found = []
    if gaps.is_cut:
        found.append(f"the trace has more than these {len(tree.nodes)} spans")
    missing = tree.missing_parents
    if missing:
        names = ", ".join(list(missing)[:3]) + (", …" if len(missing) > 3 else "")
        found.append(f"{len(missing)} parent spans are on no agent that answered: {names}")
    elif tree.nodes and all(tree.nodes[n].is_in_circle for n in tree.roots):
        found.append("no span is the root: parents go round in a circle")
    return found


def _doubts(tree: Tree, gaps: Gaps) -> list[str]:
    """Why more may exist."""
    found = []
    if gaps.silent:
        found.append(f"{len(gaps.silent)} agents did not answer: {', '.join(gaps.silent[:5])}")
    if not tree.nodes:
        return found
    real = [n for n in tree.roots if not tree.nodes[n].missing_parent_id and not tree.nodes[n].is_in_circle]
    if len(real) > 1:
        found.append(f"{len(real)} spans have no parent: a trace has one root")
    if gaps.now_ns - max(node.end_ns for node in tree.nodes) < SETTLING_NS:
        found.append("the trace ended within the last 10 seconds; spans may still arrive")
    begin = min(node.start_ns for node in tree.nodes)
    short = sorted(agent for agent, since in gaps.horizons_ns.items() if since > begin)
    if short:
        found.append(f"it began before the earliest that some agents keep: {', '.join(short[:5])}")
    return found
