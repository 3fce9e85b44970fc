"""A filter of texts lets every text through that is there, and few of those that are not."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from agent.store.sieve import BITS_PER_TEXT, may_hold, sieve_of


def sieve(texts: list[bytes], before: bytes = b"") -> bytes:
    """The filter of these texts, which lie behind ``before`` in a longer buffer."""
    ends = np.cumsum([len(before), *map(len, texts)]).astype(np.int32)
    return sieve_of(ends, before + b"".join(texts) + b"behind")


@given(texts=st.lists(st.binary(max_size=20), max_size=40), before=st.binary(max_size=10))
@example(texts=[b"", b"1234567", b"12345678", b"123456789"], before=b"")
@example(texts=[b"a"], before=b"")
def test_every_text_that_is_there_is_let_through_wherever_it_lies(texts, before):
    made = sieve(texts, before)
    assert all(may_hold(made, text) for text in texts)
    assert made == sieve(texts), "what lies beside them is none of them"


def test_nothing_is_let_through_where_there_are_no_texts():
    assert sieve([]) == b""
    assert not may_hold(sieve([]), b"anything")
    assert not may_hold(sieve([]), b"")


def test_few_of_the_others_are_let_through():
    noise = random.Random(7)
    texts = [b"\x0a\x07request\x12\x12\x0a\x10" + noise.randbytes(16) for _ in range(20_000)]
    made = sieve(texts[:10_000])
    let_through = sum(may_hold(made, text) for text in texts[10_000:])
    assert let_through < 10_000 / 10, "one in thirteen at six bits and two probes"
    assert len(made) <= 10_000 * BITS_PER_TEXT / 8 + 1


def test_none_is_let_through_by_filter_after_filter_of_much_the_same_texts():
    alike = [b"\x0a\x10code.line.number\x12\x03\x18%c\x03" % line for line in range(128, 255)] * 8
    noise = random.Random(3)
    filters = [
        sieve([*alike, *(b"\x0a\x06app.id\x12\x0a\x0a\x08" + noise.randbytes(8) for _ in range(900 + 8 * n))])
        for n in range(40)
    ]
    for code in range(400, 600):
        wanted = b"\x0a\x19http.response.status_code\x12\x05\x0a\x03%d" % code
        assert sum(may_hold(made, wanted) for made in filters) < len(filters) // 3


def test_one_that_counts_is_told_from_its_neighbours():
    made = sieve([f"order-{number:08d}".encode() for number in range(1000)])
    assert sum(may_hold(made, f"order-{number:08d}".encode()) for number in range(1000, 11_000)) < 10_000 / 6
