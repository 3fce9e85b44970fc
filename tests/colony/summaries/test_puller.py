"""Which minutes are asked for: until they are settled, after a pause, never again once they are final."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from colony.clock import MINUTE_NS
from colony.endpoint import Endpoint
from colony.outcome import Result
from colony.registry.agents import Inventory, Known
from colony.sketch import GAMMA, RELATIVE_ERROR, Sketch
from colony.summaries.puller import Reach, _indexes, due, reach_of, stretches
from colony.summaries.store import Minute

HOUR = 60


def known(*minutes: int, state: str = "final") -> dict[int, Minute]:
    return {minute: Minute("n1", minute, minute, 1, state) for minute in minutes}


def reach(current: int) -> Reach:
    return Reach(current, current - HOUR + 1, current - 24 * HOUR + 1)


def test_of_a_new_agent_all_that_it_keeps_is_asked_for_and_nothing_is_lost():
    assert due({}, reach(1000)) == (list(range(941, 1001)), [])


def test_final_minutes_are_not_asked_for_again_and_open_ones_are():
    checkpoints = known(*range(941, 996)) | known(*range(996, 1000), state="open")

    assert due(checkpoints, reach(1000)) == ([996, 997, 998, 999, 1000], [])


def test_after_an_hour_away_the_gap_is_asked_for():
    assert due(known(*range(900, 950)), reach(1000)) == (list(range(950, 1001)), [])


def test_what_the_agent_let_go_of_meanwhile_is_lost():
    checkpoints = known(*range(800, 898)) | known(898, 899, state="open")

    assert due(checkpoints, reach(1000)) == (list(range(941, 1001)), list(range(898, 941)))


def test_after_a_month_away_no_more_is_lost_than_is_kept_here():
    assert len(due(known(5), reach(50_000))[1]) == 23 * HOUR


def test_a_clock_that_was_set_back_asks_for_nothing_twice():
    assert due(known(*range(900, 1001)), reach(990)) == ([], [])


@given(st.sets(st.integers(0, 100)), st.integers(1, 12))
def test_stretches_hold_every_minute_once_without_a_hole(minutes: set[int], longest: int):
    found = stretches(sorted(minutes), longest)

    assert [minute for stretch in found for minute in stretch] == sorted(minutes)
    assert all(len(stretch) <= longest for stretch in found)


@given(st.integers(1, 10**13), st.sampled_from([1.005, 1.0202, 1.1]))
def test_buckets_of_another_factor_are_off_by_both_factors(duration: int, gamma: float):
    (theirs,) = Sketch.of([duration], gamma).buckets
    (ours,) = _indexes([theirs], gamma)

    told = 2 * GAMMA**ours / (GAMMA + 1)
    assert abs(told - duration) <= duration * (RELATIVE_ERROR + (gamma - 1) / (gamma + 1)) * 1.02 + 1


def test_buckets_of_the_same_factor_stay():
    assert _indexes([-1, 0, 700], GAMMA) == [-1, 0, 700]


def known_agent(*, shares_id: bool = False, retention_minutes: int = HOUR) -> Known:
    inventory = Inventory("n1", "", "1", retention_minutes * MINUTE_NS, 0, 0, 0, 0, {})
    return Known(Endpoint("h", 1), "n1", inventory, Result.ANSWERED, shares_id=shares_id)


def test_an_agent_is_asked_as_far_back_as_it_keeps_and_no_further_than_wanted():
    now, day = 10_000 * MINUTE_NS + 1, 24 * HOUR * MINUTE_NS

    assert reach_of(known_agent(), now, day, day) == Reach(10_000, 9_941, 8_561)
    assert reach_of(known_agent(retention_minutes=10**6), now, day, day) == Reach(10_000, 8_561, 8_561)
    assert reach_of(known_agent(), now, day, 5 * MINUTE_NS) == Reach(10_000, 9_995, 8_561)


def test_what_was_pulled_under_a_shared_id_is_not_pulled_again_under_each_address():
    now, day = 10_000 * MINUTE_NS + 1, 24 * HOUR * MINUTE_NS

    assert reach_of(known_agent(shares_id=True), now, day, day).oldest == 10_000
