"""What moves through the house counts right."""

from __future__ import annotations

import pytest

from agent.batch import Receipt, Signal


def test_a_receipt_counts_what_it_refused():
    assert Receipt(3).rejected == 0
    assert Receipt(3, {"a": 2, "b": 5}).rejected == 7


def test_a_signal_is_otlp_s_own_word():
    assert [str(signal) for signal in Signal] == ["traces", "metrics", "logs"]


def test_what_moves_cannot_be_changed_on_its_way():
    with pytest.raises(AttributeError):
        Receipt(1).accepted = 2  # type: ignore[misc]  # that is the point
