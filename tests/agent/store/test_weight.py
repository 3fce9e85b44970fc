"""What values weigh: text by its memory, elements with what an object costs, numbers nothing."""

from __future__ import annotations

import sys

import pytest

from agent import schema
from agent.batch import Signal
from agent.store.weight import ELEMENT_BYTES, weight


def test_text_weighs_what_it_takes_in_memory():
    assert weight(Signal.LOGS, {"body_text": ["x" * 1000, None]}) == sys.getsizeof("x" * 1000) + sys.getsizeof(None)
    assert weight(Signal.LOGS, {"body_text": ["x" * 999 + "\N{OCTOPUS}"]}) > 4000


def test_an_element_weighs_its_bytes_and_its_object_for_every_row_that_has_it():
    shared = b"y" * 100
    assert weight(Signal.TRACES, {"attributes": [[shared, b"z"], [shared], []]}) == 201 + 3 * ELEMENT_BYTES
    assert weight(Signal.METRICS, {"bucket_counts": [[1, 2, 3], None]}) == 3 * ELEMENT_BYTES


@pytest.mark.parametrize("signal", list(Signal))
def test_every_column_can_be_weighed_and_numbers_weigh_nothing(signal):
    nothing: dict[str, list[object]] = {name: [] for name in schema.TABLES[signal].names}
    assert weight(signal, nothing) == 0
    assert weight(signal, {"flags": [1, 2], "arrival": [1]}) == 0
