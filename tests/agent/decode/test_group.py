"""A group of requests is decoded at once, and none of them pays for another."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.batch import Decoded, Export, Receipt, Signal
from agent.decode.spans import span_decoder
from agent.errors import MalformedExport
from tests.telemetry import START, request, span

GARBAGE = b"\xff\xff\xff"


def decode(*payloads: bytes) -> Decoded:
    return span_decoder(lambda _: True).decode([Export(Signal.TRACES, payload, 0) for payload in payloads], START)


def sent(*numbers: int, service: str = "checkout", bad: int = 0) -> bytes:
    spans = [span(n) for n in numbers] + [span(n, span_id=b"") for n in range(bad)]
    return request(*spans, service=service).SerializeToString()


def names(decoded: Decoded) -> list[str]:
    return [] if decoded.batch is None else decoded.batch.rows.column("name").to_pylist()


def counts(decoded: Decoded) -> list[object]:
    return [(r.accepted, r.rejected) if isinstance(r, Receipt) else type(r) for r in decoded.receipts]


def test_each_request_has_its_own_receipt_in_order():
    decoded = decode(sent(1, 2), sent(3, bad=2), b"", sent(bad=1), sent(4))
    assert counts(decoded) == [(2, 0), (1, 2), (0, 0), (0, 1), (1, 0)]
    assert names(decoded) == [f"operation {n}" for n in (1, 2, 3, 4)]


def test_a_request_that_is_not_otlp_costs_itself_alone():
    decoded = decode(sent(1), GARBAGE, sent(2, bad=1), GARBAGE)
    assert counts(decoded) == [(1, 0), MalformedExport, (1, 1), MalformedExport]
    assert names(decoded) == ["operation 1", "operation 2"]


def test_a_group_of_nothing_but_garbage_has_no_batch():
    decoded = decode(GARBAGE, GARBAGE)
    assert decoded.batch is None
    assert counts(decoded) == [MalformedExport, MalformedExport]


def test_what_is_refused_says_nothing_of_its_content():
    (error,) = decode(b"hunter2 is my password" * 3).receipts
    assert isinstance(error, MalformedExport)
    assert "hunter2" not in error.message
    assert "traces" in error.message


def test_origins_are_those_that_the_kept_rows_refer_to_once_each():
    decoded = decode(sent(1, service="a"), sent(2, service="a"), sent(3, service="b"), sent(bad=1, service="c"))
    assert decoded.batch is not None
    origins = decoded.batch.origins.to_pylist()
    assert sorted(origin["service_name"] for origin in origins) == ["a", "b"]
    assert {origin["hash"] for origin in origins} == set(decoded.batch.rows.column("origin").to_pylist())


GROUPS = st.lists(st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from("ab")), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(GROUPS)
def test_a_group_is_decoded_as_its_requests_would_be_one_by_one(group):
    payloads = [GARBAGE if one is None else sent(*range(one[0]), bad=one[1], service=one[2]) for one in group]
    together, alone = decode(*payloads), [decode(payload) for payload in payloads]
    assert counts(together) == [counts(one)[0] for one in alone]
    assert names(together) == [name for one in alone for name in names(one)]
    assert [getattr(r, "message", "") for r in together.receipts] == [getattr(one.receipts[0], "message", "") for one in alone]


def test_no_requests_are_no_receipts():
    assert decode() == Decoded(None, [])
