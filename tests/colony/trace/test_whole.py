"""A trace says whether it is complete, and why not."""

from __future__ import annotations

from typing import Any

from colony.merge import Sent
from colony.trace.whole import Gaps, Trace, trace_of
from tests.colony.rows import START, TRACE
from tests.colony.trace.spans import MS, call, sent

NOW = START + 60_000 * MS


def told(*spans: Sent, **gaps: Any) -> Trace:
    return trace_of(TRACE, spans, Gaps(**({"now_ns": NOW} | gaps)))


def test_with_one_root_every_parent_and_every_agent_it_is_complete():
    trace = told(*call(("client", 0, 10), ("server", 3, 5)))

    assert (trace.complete, trace.reasons) == (True, ())
    assert (trace.root, trace.start_ns, trace.duration_ns) == (0, START, 10 * MS)


def test_what_is_surely_missing_makes_it_incomplete():
    assert told(sent("a", "gone")).complete is False
    assert told(sent("a", "gone")).reasons == ("1 parent spans are on no agent that answered: gone",)
    assert told(sent("a"), is_cut=True).complete is False
    assert told(sent("a", "b"), sent("b", "a")).complete is False


def test_what_may_be_missing_makes_it_unknown():
    for trace, reason in (
        (told(sent("a"), silent=["node-3"]), "1 agents did not answer: node-3"),
        (told(sent("a"), sent("b")), "2 spans have no parent: a trace has one root"),
        (told(sent("a"), now_ns=START + 5 * MS), "the trace ended within the last 10 seconds; spans may still arrive"),
        (
            told(sent("a"), horizons_ns={"n1": START + 1, "n2": START - 1}),
            "it began before the earliest that some agents keep: n1",
        ),
    ):
        assert (trace.complete, trace.reasons) == (None, (reason,))


def test_of_no_span_with_an_agent_missing_nobody_knows():
    assert (told().complete, told().root, told().duration_ns) == (True, None, 0)
    assert told(silent=["n"]).complete is None
