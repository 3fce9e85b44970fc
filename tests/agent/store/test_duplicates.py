"""A request that comes again within two minutes gets its first reply: by content, by signal, across a restart."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from agent.batch import Export, Receipt, Signal
from agent.store.duplicates import WINDOW_NS, RecentRequests, key_of, request_rows

RECEIPTS = st.builds(
    Receipt, st.integers(0, 10**6), st.dictionaries(st.text(max_size=9), st.integers(1, 99), max_size=3), st.text(max_size=30)
)
A, B = b"a" * 16, b"b" * 16


def test_two_minutes_are_two_minutes_inclusive():
    assert WINDOW_NS == 120 * 10**9
    recent = RecentRequests()
    recent.remember(A, Receipt(1), 1000)
    assert recent.reply(A, 1000 + WINDOW_NS) == Receipt(1)
    assert recent.reply(A, 1001 + WINDOW_NS) is None


def test_an_unknown_request_has_no_reply():
    assert RecentRequests().reply(A, 0) is None


@given(st.binary(max_size=50), st.binary(max_size=50), st.sampled_from(Signal), st.sampled_from(Signal))
def test_a_key_stands_for_the_bytes_and_the_signal_alone(one, other, signal, another):
    same = (one, signal) == (other, another)
    assert (key_of(Export(signal, one, 3)) == key_of(Export(another, other, 4))) == same
    assert len(key_of(Export(signal, one, 0))) == 16


@given(st.lists(RECEIPTS, max_size=5), st.integers(0, 2**62))
def test_replies_survive_being_written_and_loaded(receipts, arrived_ns):
    keys = [bytes([number]) * 16 for number in range(len(receipts))]
    rows = request_rows(keys, receipts, arrived_ns)
    for loaded in (rows, pa.Table.from_batches([rows])):
        recent = RecentRequests()
        recent.load(loaded, arrived_ns + WINDOW_NS)
        assert [recent.reply(key, arrived_ns + WINDOW_NS) for key in keys] == receipts


def test_what_is_too_old_is_not_loaded():
    recent = RecentRequests()
    recent.load(request_rows([A, B], [Receipt(1), Receipt(2)], 0), WINDOW_NS + 1)
    assert recent.reply(A, 0) is None


def test_a_request_sent_again_after_the_window_counts_again_and_is_remembered_anew():
    recent = RecentRequests()
    for now in range(0, 10 * WINDOW_NS, WINDOW_NS + 1):
        assert recent.reply(A, now) is None
        recent.remember(A, Receipt(now), now)
        assert recent.reply(A, now + WINDOW_NS) == Receipt(now)


def test_what_is_past_the_window_is_forgotten():
    recent = RecentRequests()
    for number in range(1000):
        recent.remember(number.to_bytes(16, "big"), Receipt(1), number)
    recent.reply(A, 10 * WINDOW_NS)
    assert not recent._replies
