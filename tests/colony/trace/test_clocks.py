"""Spans timed by another clock are shown where they can have been, and the skew is told."""

from __future__ import annotations

from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given
from hypothesis import strategies as st

from colony.merge import Sent
from colony.trace.clocks import Skew, correct
from colony.trace.tree import Tree, tree_of
from tests.colony.rows import START, span
from tests.colony.trace.spans import MS, call, sent

FIVE_MINUTES_MS = 5 * 60 * 1000


def starts(tree: Tree) -> dict[str, float]:
    return {node.span.operation_name: (node.start_ns - START) / MS for node in tree.nodes}


def test_clocks_that_agree_move_nothing():
    tree = tree_of(call(("client", 0, 10), ("server", 3, 5)))

    assert correct(tree) == []
    assert starts(tree) == {"client": 0, "server": 3}


def test_a_callee_whose_clock_is_five_minutes_ahead_stands_in_the_middle_of_its_caller():
    spans = [
        *call(("client", 0, 10), ("server", FIVE_MINUTES_MS + 1, 4)),
        sent("inside", "server", FIVE_MINUTES_MS + 2, 1, agent="b", service_name="payments"),
    ]
    tree = tree_of(spans)

    skews = correct(tree)

    assert starts(tree) == {"client": 0, "server": 3, "inside": 4}
    assert skews == [Skew("b", "payments", (FIVE_MINUTES_MS - 2) * MS)]
    assert [node.span.start_time for node in tree.nodes if node.agent == "b"] == [
        span(start_ns=START + (FIVE_MINUTES_MS + n) * MS).start_time for n in (1, 2)
    ], "spans keep what they said"


def test_what_polling_found_is_taken_off_first():
    tree = tree_of(call(("client", 0, 10), ("server", FIVE_MINUTES_MS + 3, 5)), {"b": FIVE_MINUTES_MS * MS})

    assert correct(tree) == [Skew("b", "payments", FIVE_MINUTES_MS * MS)]
    assert starts(tree) == {"client": 0, "server": 3}


def test_a_callee_may_outlive_a_caller_that_failed_or_does_not_wait():
    failed = tree_of(call(("client", 0, 2), ("server", 1, 2), is_error=True))
    queued = tree_of([
        sent("produce", "", 0, 1, kind=api.SPAN_KIND_PRODUCER),
        sent("consume", "produce", 50, 5, agent="b", kind=api.SPAN_KIND_CONSUMER, service_name="mail"),
    ])  # fmt: skip

    assert correct(failed) == correct(queued) == []
    assert starts(queued) == {"produce": 0, "consume": 50}


def test_nothing_begins_before_what_caused_it():
    tree = tree_of([
        sent("produce", "", 0, 1, kind=api.SPAN_KIND_PRODUCER),
        sent("consume", "produce", -20, 5, agent="b", kind=api.SPAN_KIND_CONSUMER, service_name="mail"),
    ])  # fmt: skip

    assert correct(tree) == [Skew("b", "mail", -20 * MS)]
    assert starts(tree) == {"produce": 0, "consume": 0}


@given(st.integers(-(10**6), 10**6), st.integers(1, 8), st.integers(0, 20))
def test_a_synchronous_call_lies_within_its_caller_whatever_the_clocks(skew_ms: int, took: int, at: int):
    tree = tree_of(call(("client", 0, 10), ("server", skew_ms + at, took)))
    correct(tree)

    client, server = tree.nodes
    assert client.start_ns <= server.start_ns <= server.end_ns <= client.end_ns


def test_spans_of_one_process_may_stick_out_of_each_other():
    spans: list[Sent] = [sent("root", "", 0, 1), sent("later", "root", 5, 1)]
    tree = tree_of(spans)

    assert correct(tree) == []
    assert starts(tree) == {"root": 0, "later": 5}
