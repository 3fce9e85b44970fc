"""A cursor says where each agent's rest begins, belongs to one question, and nothing else passes for one."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.cursor import Cursor, mark_of
from colony.errors import InvalidQuestion
from colony.merge import Place, Shown

NUMBERS = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(min_size=1, max_size=5)
CURSORS = st.builds(
    Cursor,
    question=st.just("mark"),
    start_ns=st.none() | NUMBERS,
    end_ns=st.none() | NUMBERS,
    total=st.integers(0, 2**40),
    is_exact=st.booleans(),
    boundary=NUMBERS,
    places=st.dictionaries(NAMES, st.builds(Place, NUMBERS, NUMBERS)),
    shifts=st.dictionaries(NAMES, NUMBERS),
    done=st.frozensets(NAMES),
    shown=st.lists(st.builds(Shown, NAMES, st.text("0123456789abcdef"), st.integers(1, 9))).map(tuple),
)


@given(CURSORS)
def test_what_is_written_is_read(cursor: Cursor):
    assert cursor == Cursor.decode(cursor.encode(), "mark")


@given(st.text() | st.binary().map(lambda wire: base64.urlsafe_b64encode(wire).decode()))
def test_anything_else_is_refused(text: str):
    with pytest.raises(InvalidQuestion, match="cursor is not one of this question"):
        Cursor.decode(text, "mark")


def test_the_cursor_of_another_question_is_refused():
    cursor = Cursor(mark_of("QuerySpans", b"shop"), None, None, 0, True, 0, {})

    assert cursor == Cursor.decode(cursor.encode(), mark_of("QuerySpans", b"shop"))
    for other in (mark_of("QuerySpans", b"cart"), mark_of("QueryLogs", b"shop")):
        with pytest.raises(InvalidQuestion):
            Cursor.decode(cursor.encode(), other)


def test_a_cursor_that_unpacks_to_a_flood_is_refused():
    bomb = base64.urlsafe_b64encode(zlib.compress(b"[" + b" " * (64 << 20) + b"]", 9)).decode()

    with pytest.raises(InvalidQuestion):
        Cursor.decode(bomb, "mark")


def test_ten_agents_fit_into_a_short_line():
    places = {f"node-{n}": Place(1_790_000_000_000_000_000 + n, 10**6 + n) for n in range(10)}

    assert len(Cursor("0123456789abcdef", 1, None, 5000, True, 9, places).encode()) < 400
