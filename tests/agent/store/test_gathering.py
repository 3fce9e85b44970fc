"""Everything that waits is one group, and senders that were answered together are waited for together."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agent.batch import Export, Signal
from agent.store.gathering import GROUP_BYTES, Gathering, Waiting

AT_ONCE, LONG = 0.0, 30.0


@pytest.fixture
def loop():
    found = asyncio.new_event_loop()
    yield found
    found.close()


@pytest.fixture
def waiting(loop):
    return lambda size=1: Waiting(Export(Signal.TRACES, bytes(size), size), loop.create_future(), 0.0)


def put(gathering, *requests):
    for request in requests:
        gathering.put(request)


def test_all_that_waits_is_one_group_in_order(waiting):
    gathering = Gathering(LONG, LONG)
    requests = [waiting() for _ in range(5)]
    put(gathering, *requests)

    assert requests == gathering.next()


def test_a_group_ends_at_its_size(waiting):
    gathering = Gathering(LONG, AT_ONCE)
    put(gathering, *(waiting(GROUP_BYTES // 2) for _ in range(3)))

    assert [len(gathering.next()), len(gathering.next())] == [2, 1]


def test_as_many_as_last_time_are_waited_for(waiting):
    gathering = Gathering(LONG, LONG)
    put(gathering, *(waiting() for _ in range(4)))
    gathering.next()
    found = []
    taker = threading.Thread(target=lambda: found.append(gathering.next()))
    taker.start()
    put(gathering, waiting())
    taker.join(0.2)
    assert taker.is_alive()

    put(gathering, *(waiting() for _ in range(3)))
    taker.join(10)

    assert [len(group) for group in found] == [4]


def test_those_who_do_not_come_again_are_not_waited_for_twice(waiting):
    gathering = Gathering(LONG, AT_ONCE)
    put(gathering, *(waiting() for _ in range(4)))
    gathering.next()
    put(gathering, waiting())

    assert len(gathering.next()) == 1


def test_a_lone_sender_is_never_waited_with(waiting):
    gathering = Gathering(LONG, LONG)
    for _ in range(3):
        put(gathering, waiting())
        assert len(gathering.next()) == 1


def test_a_tick_without_a_request_is_an_empty_group():
    assert Gathering(AT_ONCE, LONG).next() == []


def test_what_was_put_before_the_stop_is_in_the_last_group(waiting):
    gathering = Gathering(LONG, LONG)
    put(gathering, *(waiting() for _ in range(4)))
    gathering.next()
    put(gathering, waiting())
    gathering.stop()

    assert len(gathering.next()) == 1
    assert gathering.stopped
