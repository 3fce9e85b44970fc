"""Text search over a column finds what looking at each text by itself finds."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.store.grep import folded_parts, rows_with_text
from agent.values import folded
from tests.agent.store.drawing import sliced

WORDS = st.text(st.sampled_from("abAB c"), max_size=8)
LETTERS = st.text(st.sampled_from("aAkK\u212aσςΣßẞİıiI\u0307üÜ🎉"), max_size=6)
TEXTS = st.none() | WORDS | LETTERS | st.text(max_size=6)


def plainly(texts: list[str | None], wanted: str) -> list[int]:
    return [index for index, text in enumerate(texts) if text is not None and wanted in folded(text)]


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(TEXTS, max_size=12) | st.lists(st.none() | WORDS, max_size=12),
    before=st.lists(TEXTS, max_size=2),
    wanted=WORDS | LETTERS | st.text(max_size=3),
)
@example(texts=["ab", "cab"], before=["x"], wanted="bc")
@example(texts=["aab"], before=[], wanted="ab")
@example(texts=["aXa", "aXaXa"], before=[], wanted="axa")
def test_it_is_a_plain_scan(texts: list[str | None], before: list[Any], wanted: str):
    wanted = folded(wanted) or "a"
    column = sliced(texts, pa.string(), before)
    assert rows_with_text(column, wanted).tolist() == plainly(texts, wanted)
    for size in (1, 5, 100):
        parts = list(folded_parts(column, size))
        assert all(any(folded(text).encode() in part for part in parts) for text in texts if text)


def test_a_match_across_the_border_of_two_texts_is_none():
    column = pa.array(["broken pi", "pe", "pipe", None, "pi", "pe broken pipe"])
    assert rows_with_text(column, "pipe").tolist() == [2, 5]
    assert rows_with_text(column, "broken").tolist() == [0, 5]


@pytest.mark.parametrize(("text", "wanted"), [("ΟΔΥΣΣΕΎΣ", "οδυσσεύς"), ("οδυσσεύς", "ΟΔΥΣΣΕΎΣ"), ("GRÜSSE", "grüsse")])
def test_case_counts_in_no_alphabet_and_the_greek_s_that_ends_a_word_is_one(text, wanted):
    column = pa.array(["ascii", text, f"in the midst {text} of it", "other"])
    assert rows_with_text(column, folded(wanted)).tolist() == [1, 2]


def test_a_letter_outside_ascii_that_folds_into_it_is_found():
    assert rows_with_text(pa.array(["a \u212aelvin", "a kelvin"]), "kelvin").tolist() == [0, 1]
    assert rows_with_text(pa.array(["\u0130", "grüßi", "\u0131"]), "i").tolist() == [0, 1]


def test_only_these_letters_outside_ascii_fold_into_it():
    others = [chr(point) for point in range(128, sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    assert [letter for letter in others if any(one.isascii() for one in folded(letter))] == ["\u0130", "\u212a"]


def test_bytes_that_are_no_utf_8_hide_nothing():
    raw = pa.array([b"a \xff broken pipe", b"whole \xc3\xa4", b"cut \xc3"]).view(pa.string())
    assert rows_with_text(raw, "pipe").tolist() == [0]
    assert rows_with_text(raw, "ä").tolist() == [1]
    assert rows_with_text(raw, "cut \ufffd").tolist() == [2]
    assert b"broken pipe" in b"".join(folded_parts(raw, 100))


def test_what_lies_under_a_null_is_not_found():
    texts = pa.array(["seen", "hidden ü", "seen too ü"])
    masked = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), *texts.buffers()[1:]])
    assert rows_with_text(masked, "hidden").tolist() == []
    assert rows_with_text(masked, "seen").tolist() == [0, 2]
    assert rows_with_text(masked, "ü").tolist() == [2]


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.nulls(3, pa.string()), pa.array(["", ""])])
def test_in_no_text_nothing_is_found(column):
    assert rows_with_text(column, "a").tolist() == []
