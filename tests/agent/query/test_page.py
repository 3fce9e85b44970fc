"""Page tokens: they carry a place exactly, belong to one query, and garbage is refused in one way."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InvalidQuery
from agent.query.page import PageToken, Position, Window, fingerprint_of

INT64 = st.integers(-(2**63), 2**63 - 1)
BOUND = st.none() | INT64
MARK = fingerprint_of("QuerySpans", b"filters")
TOKENS = st.builds(
    PageToken, st.just(MARK), st.builds(Window, BOUND, BOUND), st.builds(Position, INT64, INT64),
    st.tuples(st.integers(0, 2**31 - 1), st.booleans()),
)  # fmt: skip


def of(fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


@given(TOKENS)
def test_a_token_comes_back_as_it_was(token):
    assert PageToken.decode(token.encode(), MARK) == token
    assert set(token.encode()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_token_belongs_to_one_rpc_and_its_filters(one, other):
    token = PageToken(fingerprint_of("A", one), Window(None, None), Position(1, 2), (3, True)).encode()
    with pytest.raises(InvalidQuery):
        PageToken.decode(token, fingerprint_of("B", one))
    if one != other:
        with pytest.raises(InvalidQuery):
            PageToken.decode(token, fingerprint_of("A", other))


GOOD = [MARK.hex(), None, None, 1, 2, 3, True]
FORGED = {
    "not base64": "!!!",
    "not ascii": "ünïcode",
    "not json": base64.urlsafe_b64encode(b"{").decode(),
    "not utf-8": base64.urlsafe_b64encode(b"\xff").decode(),
    "not a list": of({"a": 1}),
    "a number": of(7),
    "too few": of(GOOD[:6]),
    "too many": of([*GOOD, 1]),
    "another query": of(["00" * 8, *GOOD[1:]]),
    "text for a number": of([*GOOD[:3], "1", *GOOD[4:]]),
    "a boolean for a number": of([*GOOD[:3], True, *GOOD[4:]]),
    "a double for a number": of([*GOOD[:3], 1.0, *GOOD[4:]]),
    "a number for a boolean": of([*GOOD[:6], 1]),
    "beyond a BIGINT": of([*GOOD[:3], 2**63, *GOOD[4:]]),
    "a bound beyond": of([GOOD[0], -(2**64), *GOOD[2:]]),
    "thousands of digits": base64.urlsafe_b64encode(b"[" + b"9" * 9999 + b"]").decode(),
    "deep": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
def test_a_token_that_is_not_ours_is_refused_with_one_text(text):
    with pytest.raises(InvalidQuery, match=r"^page_token is not one of this query"):
        PageToken.decode(text, MARK)


@given(st.text(max_size=80))
def test_any_text_is_a_token_or_refused(text):
    with pytest.raises(InvalidQuery):
        PageToken.decode(text, MARK)


@pytest.mark.parametrize("total", [-1, -(2**40), 2**40])
def test_a_total_that_cannot_be_is_refused_too(total):
    with pytest.raises(InvalidQuery):
        PageToken.decode(of([*GOOD[:5], total, True]), MARK)
