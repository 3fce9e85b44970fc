"""Pauses double up to a bound and differ; second tries have a budget."""

from __future__ import annotations

import random

from colony.upstream.patience import Pauses, RetryBudget


def test_pauses_double_to_a_bound_are_drawn_and_begin_again():
    pauses = Pauses(0.1, 1.0, random.Random(1))
    taken = [pauses.take() for _ in range(8)]
    for pause, whole in zip(taken, (0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0), strict=True):
        assert whole / 2 <= pause <= whole
    assert len(set(taken)) == 8
    pauses.reset()
    assert pauses.take() <= 0.1


def test_a_budget_of_second_tries_is_spent_and_earned():
    budget = RetryBudget()
    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(5):
        budget.call()
    assert [budget.take(), budget.take()] == [True, False]
