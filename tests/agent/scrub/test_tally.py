"""Counts from many threads add up and are taken once."""

import threading

from agent.scrub.tally import Tally


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
