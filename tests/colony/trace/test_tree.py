"""Any set of spans is a tree in which each span stands once."""

from __future__ import annotations

import random

from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.merge import Sent, content
from colony.trace.clocks import correct
from colony.trace.tree import Tree, tree_of
from tests.colony.trace.spans import sent

IDS = st.sampled_from(["", "1", "2", "3", "4", "5"])
SPANS = st.lists(
    st.builds(
        sent,
        span_id=IDS,
        parent=IDS,
        start_ms=st.integers(-3, 3),
        took_ms=st.integers(-1, 4),
        agent=st.sampled_from(["a", "b"]),
        kind=st.sampled_from([api.SPAN_KIND_INTERNAL, api.SPAN_KIND_SERVER, api.SPAN_KIND_CLIENT]),
        service_name=st.sampled_from(["shop", "payments"]),
        position=st.integers(1, 3),
    ),
    max_size=12,
)


def shape(tree: Tree) -> list[tuple[str, int]]:
    return [(node.span.operation_name, node.depth) for node in tree.nodes]


@settings(max_examples=300)
@given(SPANS)
def test_each_span_stands_once_under_one_parent_or_as_a_root(spans: list[Sent]):
    tree = tree_of(spans)
    correct(tree)

    assert {content(each.row) for each in spans} == {content(node.span) for node in tree.nodes}
    assert len(tree.nodes) == len({content(each.row) for each in spans})
    assert len(tree.nodes) + tree.repeated == len(spans)
    children = sorted(child for node in tree.nodes for child in node.children)
    assert sorted([*children, *tree.roots]) == list(range(len(tree.nodes)))
    for number, node in enumerate(tree.nodes):
        assert node.parent is None or (number in tree.nodes[node.parent].children and node.parent < number)
        assert node.depth == (0 if node.parent is None else tree.nodes[node.parent].depth + 1)


@given(SPANS, st.randoms())
def test_the_tree_is_the_same_in_whatever_order_spans_come(spans: list[Sent], chance: random.Random):
    distinct = list({(content(each.row), each.agent, each.row.position): each for each in spans}.values())
    shuffled = sorted(distinct, key=lambda _: chance.random())

    assert shape(tree_of(distinct)) == shape(tree_of(shuffled))


def test_children_stand_under_their_parent_by_start():
    tree = tree_of([sent("late", "root", 5), sent("root", "", 0, 10), sent("early", "root", 1), sent("below", "late", 6)])

    assert shape(tree) == [("root", 0), ("early", 1), ("late", 1), ("below", 2)]


def test_a_parent_that_nobody_sent_is_named_once_for_all_its_children():
    tree = tree_of([sent("one", "gone", 1), sent("two", "gone", 2), sent("root")])

    assert tree.missing_parents == {"gone": [1, 2]}
    assert shape(tree) == [("root", 0), ("one", 0), ("two", 0)]


def test_caller_and_callee_that_share_an_id_stand_one_under_the_other():
    client = sent("x", "root", 1, 8, kind=api.SPAN_KIND_CLIENT, operation_name="client")
    server = sent("x", "root", 2, 6, kind=api.SPAN_KIND_SERVER, operation_name="server", service_name="payments")
    below = sent("y", "x", 3, 2, service_name="payments")

    tree = tree_of([below, server, client, sent("root", "", 0, 10)])

    assert shape(tree) == [("root", 0), ("client", 1), ("server", 2), ("y", 3)]
    assert tree.shared_ids == {"x": [1, 2]}


def test_a_circle_is_cut_above_its_earliest_span():
    tree = tree_of([sent("b", "a", 1), sent("a", "c", 0), sent("c", "b", 2), sent("own", "own", 3)])

    assert shape(tree) == [("a", 0), ("b", 1), ("c", 2), ("own", 0)]
    assert [node.is_in_circle for node in tree.nodes] == [True, False, False, True]
    assert tree.missing_parents == {}


def test_a_chain_deeper_than_python_recurses_is_a_tree():
    spans = [sent(str(n), str(n - 1) if n else "", n / 1000) for n in range(5000)]

    assert tree_of(spans).nodes[-1].depth == 4999


def test_a_span_that_two_agents_have_is_shown_once():
    tree = tree_of([sent("root", position=1), sent("root", position=7, agent="b")])

    assert (len(tree.nodes), tree.nodes[0].agent, tree.repeated) == (1, "a", 1)
