"""The critical path covers the root without a gap; errors lead to where they began."""

from __future__ import annotations

import itertools

from hypothesis import given, settings

from colony.merge import Sent
from colony.trace.clocks import correct
from colony.trace.path import critical_path, error_chain, main_root, set_self_times
from colony.trace.tree import Tree, tree_of
from tests.colony.rows import START
from tests.colony.trace.spans import MS, sent
from tests.colony.trace.test_tree import SPANS


def path(tree: Tree) -> list[tuple[str, float, float]]:
    root = main_root(tree)
    assert root is not None
    return [
        (tree.nodes[step.node].span.operation_name, (step.start_ns - START) / MS, (step.end_ns - START) / MS)
        for step in critical_path(tree.nodes, root)
    ]


def test_the_path_is_what_everything_waited_for():
    tree = tree_of([
        sent("root", "", 0, 100),
        sent("first", "root", 10, 20),
        sent("aside", "root", 15, 40),  # ends last before "second" begins: it is waited for, "first" is not
        sent("second", "root", 60, 30),
        sent("deep", "second", 65, 20),
    ])  # fmt: skip

    assert path(tree) == [
        ("root", 0, 15),
        ("aside", 15, 55),
        ("root", 55, 60),
        ("second", 60, 65),
        ("deep", 65, 85),
        ("second", 85, 90),
        ("root", 90, 100),
    ]


def test_a_child_that_outlives_its_parent_is_waited_for_until_the_parents_end():
    tree = tree_of([sent("root", "", 0, 10), sent("child", "root", 4, 20)])

    assert path(tree) == [("root", 0, 4), ("child", 4, 10)]


@settings(max_examples=300)
@given(SPANS.filter(bool))
def test_the_path_covers_the_root_without_a_gap(spans: list[Sent]):
    tree = tree_of(spans)
    correct(tree)
    set_self_times(tree.nodes)
    root = main_root(tree)
    assert root is not None
    steps = critical_path(tree.nodes, root)

    assert sum(step.end_ns - step.start_ns for step in steps) == tree.nodes[root].duration_ns
    assert all(before.end_ns == after.start_ns for before, after in itertools.pairwise(steps))
    assert all(0 <= node.self_ns <= node.duration_ns for node in tree.nodes)


def test_time_in_overlapping_children_counts_once():
    tree = tree_of([
        sent("root", "", 0, 10), sent("a", "root", 1, 4), sent("b", "root", 3, 4), sent("c", "root", 9, 5),
    ])  # fmt: skip
    set_self_times(tree.nodes)

    assert [node.self_ns / MS for node in tree.nodes] == [3, 4, 4, 5]


def test_errors_lead_from_the_top_to_where_they_began():
    tree = tree_of([
        sent("root", "", 0, 10, is_error=True),
        sent("early", "root", 1, 1, is_error=True),
        sent("call", "root", 3, 5, is_error=True),
        sent("refused politely", "call", 4, 3),
        sent("origin", "refused politely", 4, 2, is_error=True),
        sent("fine", "origin", 4, 1),
    ])  # fmt: skip

    chain = error_chain(tree.nodes)

    assert [tree.nodes[n].span.operation_name for n in chain] == ["root", "call", "origin"]
    assert error_chain(tree_of([sent("root")]).nodes) == []
