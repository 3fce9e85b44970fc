"""A filter of what texts contain never hides one that is there, and hides most of those that are not."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.store.grams import TAIL_BYTES, Sought, ended, filter_at_end, grams_of
from agent.values import folded
from tests.agent.store.drawing import sliced

LETTERS = st.text(st.sampled_from("aAkKiI-. 7\u212a\u0130\u0307σςΣßẞé字🎉"), max_size=9)
TEXTS = st.none() | LETTERS | st.text(max_size=9) | st.sampled_from(["order 4711 failed", "Übergabe", "\x00\x7f\x80\uffff"])


def grams(*texts: str | None) -> bytes:
    return grams_of(pa.array(texts, pa.string()), len(texts))


@settings(max_examples=400, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=8),
    before=st.lists(TEXTS, max_size=2),
    number=st.integers(0, 2**63),
    places=st.data(),
)
@example(texts=["a \u212aELVIN"], before=[], number=0, places=None)
@example(texts=["\u0130stanbul", None, "ΟΔΥΣΣΕΎΣ"], before=["x"], number=7, places=None)
def test_every_part_of_every_text_is_let_through(texts, before, number, places):
    made = grams_of(sliced(texts, pa.string(), before), number)
    for text in filter(None, texts):
        whole = folded(text)
        low = places.draw(st.integers(0, len(whole) - 1)) if places else 0
        high = places.draw(st.integers(low + 1, len(whole))) if places else len(whole)
        for part in (whole, whole[low:high]):
            assert Sought(part).may_stand_in(made), (text, part)


@settings(max_examples=20, deadline=None)
@given(noise=st.randoms(use_true_random=False), count=st.sampled_from([1, 40, 400, 4000, 40_000]))
def test_every_part_is_let_through_by_a_filter_of_any_size(noise, count):
    texts = [f"{noise.getrandbits(32):08x}" for _ in range(count)]
    made = grams(*texts)
    assert all(Sought(text[1:6]).may_stand_in(made) for text in noise.sample(texts, min(count, 200)))


def test_what_is_in_none_of_them_is_hidden_whatever_its_letters_are():
    made = grams("payment of order 4711 was accepted", "Übergabe im Büro", "Ошибка: платёж не прошёл", None)
    for absent in ("zebra", "4712", "übertrag", "оплата", "payment  of", "declined", "ĪŌāūēo"):
        assert not Sought(folded(absent)).may_stand_in(made), absent


@pytest.mark.parametrize("short", ["", "z", "zeb", "ße", "字"])
def test_what_is_shorter_than_a_gram_is_not_looked_up(short):
    assert Sought(short).grams == []
    assert Sought(short).may_stand_in(grams("x"))


@pytest.mark.parametrize("texts", [[], [None, None], [""], ["abc", "d"[:0]]])
def test_where_no_text_has_four_bytes_none_is_let_through(texts):
    made = grams(*texts)
    assert len(made) == 12
    assert not Sought("abcd").may_stand_in(made)


def orders(count: int) -> list[str]:
    dice = random.Random(3)
    return [f"payment of order {dice.randrange(10**8):08d} was accepted" for _ in range(count)]


def test_few_that_are_absent_are_let_through():
    made, noise = grams(*orders(2048)), random.Random(4)
    words = ["".join(noise.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(2000)]
    assert sum(Sought(word).may_stand_in(made) for word in words) < 40, "three probes, at most a quarter of the bits set"
    numbers = [f"{noise.randrange(10**8):08d}" for _ in range(2000)]
    assert sum(Sought(number).may_stand_in(made) for number in numbers) < 500, "of 10,000 grams of digits two thirds are there"


def test_one_that_is_let_through_by_one_filter_is_hidden_by_others():
    column, noise = pa.array(orders(2048)), random.Random(6)
    filters = [grams_of(column, 2048 * n) for n in range(50)]
    words = ["".join(noise.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(300)]
    assert max(sum(Sought(word).may_stand_in(made) for made in filters) for word in words) < 15


def test_a_filter_is_as_large_as_what_it_was_made_of_is_various():
    assert [len(grams(*["cache miss for product"] * count)) for count in (1, 2048)] == [20, 20]
    assert len(grams(*orders(200))) < len(grams(*orders(2048))) <= TAIL_BYTES


def test_of_what_has_nearly_every_gram_there_is_none():
    noise = random.Random(5)
    made = grams("".join(chr(noise.randrange(32, 127)) for _ in range(400_000)))
    assert made == b""
    assert Sought("anything").may_stand_in(made)
    assert ended(made) == b""


def test_it_is_read_from_the_end_of_whatever_it_stands_behind():
    made = grams(*orders(2048))
    for before in (b"", b"block" * 999):
        assert filter_at_end(before + ended(made)) == made
    assert len(ended(made)) <= TAIL_BYTES


def test_a_damaged_one_is_none():
    whole = b"block" + ended(grams("payment of order 4711"))
    for at in range(len(b"block"), len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            assert filter_at_end(bytes(flipped)) == b"", (at, bit)
    assert all(filter_at_end(whole[:cut]) == filter_at_end(whole[len(b"block") + 1 :]) == b"" for cut in range(len(whole)))


@given(st.binary(max_size=60))
def test_other_bytes_are_none(content: Any):
    assert filter_at_end(content) == b""
