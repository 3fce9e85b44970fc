"""Counts from many threads add up and are taken once."""

import threading

from agent.scrub.tally import Memo, Tally


def test_a_tally_is_taken_once():
    tally = Tally()
    tally.add([("email", "mask"), ("email", "mask"), ("key", "drop")])
    assert tally.take() == {("email", "mask"): 2, ("key", "drop"): 1}
    assert tally.take() == {}


def test_counts_of_all_threads_add_up():
    tally = Tally()

    def count():
        for _ in range(500):
            tally.add([("email", "mask")])

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert tally.take() == {("email", "mask"): 2000}


def test_a_memo_keeps_what_was_used_last_and_forgets_the_rest():
    memo: Memo[bytes, int] = Memo(2, 3)
    memo.put(b"a", 1)
    memo.put(b"b", 2)
    memo.put(b"long", 9)
    assert (memo.get(b"a"), memo.get(b"long")) == (1, None)
    memo.put(b"c", 3)
    assert memo.get(b"a") == 1
    memo.put(b"d", 4)
    assert [memo.get(key) for key in (b"a", b"b", b"c", b"d")] == [1, None, 3, 4]
    assert len(memo) <= 6
