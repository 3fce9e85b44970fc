"""Lists that share one table are the lists they were made of, whatever is done to them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.wires import WireLists, bytes_of, joined_cells, laid_out, picked_cells, side_by_side

wires = st.sampled_from([b"", b"a", b"b", b"c", b"dd", b"eee"])
several = st.lists(st.lists(wires, max_size=5), max_size=6)


@given(several)
def test_they_are_what_they_were_made_of(lists):
    made = WireLists.of(lists)
    assert (len(made), list(made)) == (len(lists), lists)
    assert [made[number] for number in range(len(lists))] == lists
    assert made.counts().tolist() == [sum(row.count(wire) for row in lists) for wire in bytes_of(made.table)]
    assert len(set(bytes_of(made.table))) == len(made.table)


@given(st.lists(several, min_size=1, max_size=3))
def test_they_are_joined_in_order(parts):
    assert list(WireLists.joined([WireLists.of(part) for part in parts])) == [row for part in parts for row in part]


@given(several.filter(bool), st.data())
def test_picked_they_keep_a_table_of_their_own(lists, data):
    numbers = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    picked = WireLists.of(lists).picked(numbers)
    assert list(picked) == [lists[number] for number in numbers]
    assert set(bytes_of(picked.table)) == {wire for number in numbers for wire in lists[number]}


@given(several, st.dictionaries(wires, st.one_of(st.none(), wires)))
def test_a_change_in_the_table_is_one_in_every_list(lists, changes):
    made = WireLists.of(lists)
    table = bytes_of(made.table)
    changed = made.changed({table.index(wire): change for wire, change in changes.items() if wire in table})
    expected = [[changes.get(wire, wire) for wire in row] for row in lists]
    assert list(changed) == [[wire for wire in row if wire is not None] for row in expected]
    assert list(made) == lists


@given(several)
def test_concatenated_each_list_is_its_elements_shown(lists):
    made = WireLists.of(lists)
    shown = pa.array([b"<%b>" % wire for wire in reversed(bytes_of(made.table))], pa.binary())
    at = np.arange(len(shown))[::-1]
    assert made.concatenated(shown, at).to_pylist() == [b"".join(b"<%b>" % wire for wire in row) for row in lists]


@given(several)
@example([[bytes([number])] for number in range(100)])
@example([*([bytes([number])] for number in range(100)), [b"ax", b"ay", b"b"]])
def test_of_elements_with_one_name_the_first_stays(lists):
    made = WireLists.of(lists)
    names = np.array([sum(wire[:1]) for wire in bytes_of(made.table)], np.intp)
    expected = []
    for row in lists:
        firsts: dict[bytes, bytes] = {}
        for wire in row:
            firsts.setdefault(wire[:1], wire)
        expected.append(list(firsts.values()))
    assert list(made.first_of(names)) == expected
    assert (made.first_of(names) is made) == (expected == lists)


@given(several, st.integers(0, 6))
def test_lists_of_arrow_are_those_lists(lists, low):
    array = pa.array(lists, pa.list_(pa.binary())).slice(low)
    assert list(WireLists.of_array(array)) == lists[low:]


@given(st.lists(wires), st.integers(0, 4))
def test_an_array_is_laid_out_as_its_values(values, low):
    array = pa.array(values, pa.binary()).slice(low)
    whole, ends = laid_out(array)
    assert whole == b"".join(values[low:])
    assert bytes_of(array) == values[low:]
    assert bytes_of(side_by_side(whole, np.diff(ends))) == values[low:]


def test_there_is_no_list_behind_the_last():
    made = WireLists.of([[b"a"], [b"b"]])
    assert made[-1] == [b"b"]
    with pytest.raises(IndexError):
        made[2]


@given(several, several)
def test_cells_of_any_column_are_joined_and_picked_alike(one, other):
    plain = joined_cells([one, other])
    lists = joined_cells([WireLists.of(one), WireLists.of(other)])
    numbers = range(len(one) + len(other) - 1, -1, -1)
    assert list(picked_cells(plain, numbers)) == list(picked_cells(lists, numbers))
