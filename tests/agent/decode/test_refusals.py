"""Sifting: each refused record counts once, under its first reason, for its own request."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from agent.arrays import Mask
from agent.batch import Receipt
from agent.decode.columns import Flat, Origin
from agent.decode.refusals import Check, foreign, sift, some, unreadable_resource

NAMES = ("small", "even", "last")
HINTS = {name: f"that is {name}" for name in NAMES}


def flat(
    numbers: list[int], requests: list[int], scopes: list[int] | None = None, origins: list[Origin | None] | None = None
) -> Flat:
    columns = pa.StructArray.from_arrays([pa.array(numbers, pa.int64())], ["number"])
    return Flat(columns, np.array(requests, np.int64), np.array(scopes or [0] * len(numbers), np.int64), origins or [])


def check(name: str, bad: set[int]) -> Check:
    def mask(one: Flat) -> Mask | None:
        return some(np.array([number in bad for number in one.columns.field("number").to_pylist()], bool))

    return Check(name, HINTS[name], mask)


SETS = st.tuples(*[st.sets(st.integers(0, 9)) for _ in NAMES])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=30), SETS)
def test_every_record_is_kept_or_refused_once_for_its_first_reason(records, bad):
    numbers, requests = [number for number, _ in records], sorted(request for _, request in records)
    kept, refusals = sift(flat(numbers, requests), [check(name, one) for name, one in zip(NAMES, bad, strict=True)])
    reasons = [next((name for name, one in zip(NAMES, bad, strict=True) if n in one), None) for n in numbers]
    assert kept.columns.field("number").to_pylist() == [n for n, reason in zip(numbers, reasons, strict=True) if reason is None]
    assert kept.request.tolist() == [r for r, reason in zip(requests, reasons, strict=True) if reason is None]
    totals = [requests.count(request) for request in range(4)]
    for request, receipt in enumerate(refusals.receipts(totals, "spans")):
        expected = [reason for r, reason in zip(requests, reasons, strict=True) if r == request and reason]
        assert receipt.refused == {reason: expected.count(reason) for reason in expected}
        assert receipt.accepted + receipt.rejected == totals[request]
        assert bool(receipt.message) == bool(expected)


def test_a_receipt_says_how_many_of_how_many_and_what_would_be_right():
    _, refusals = sift(flat([1, 2, 3], [0, 0, 0]), [check("even", {2}), check("last", {3})])
    assert refusals.receipts([3], "spans") == [
        Receipt(1, {"even": 1, "last": 1}, "2 of 3 spans refused: 1 that is even; 1 that is last")
    ]


def test_a_check_that_finds_nothing_costs_nothing():
    before = flat([1, 2], [0, 0])
    after, refusals = sift(before, [Check("never", "", lambda _: None)])
    assert after is before
    assert refusals.receipts([2], "spans") == [Receipt(2)]


def test_a_warning_keeps_its_records_and_tells_the_sender():
    kept, refusals = sift(flat([1, 2], [0, 0]), [Check("odd", "that is odd", lambda _: np.array([True, False]), keep=True)])
    assert len(kept.columns) == 2
    (receipt,) = refusals.receipts([2], "spans")
    assert (receipt.accepted, receipt.refused) == (2, {})
    assert "1 that is odd" in receipt.message


def origin(name: str) -> Origin:
    return Origin(1, name, None, "", None, "")


def test_records_of_an_unreadable_resource_are_marked_and_never_foreign():
    one = flat([1, 2, 3], [0, 0, 0], [0, 1, 2], [origin("ours"), None, origin("theirs")])
    mask = unreadable_resource(one)
    assert mask is not None
    assert mask.tolist() == [False, True, False]
    others = foreign(lambda name: name == "ours")(one)
    assert others is not None
    assert others.tolist() == [False, False, True]


def test_nothing_to_mark_is_none():
    one = flat([1], [0], [0], [origin("ours")])
    assert unreadable_resource(one) is None
    assert foreign(lambda _: True)(one) is None
    assert some(np.array([False, False])) is None
