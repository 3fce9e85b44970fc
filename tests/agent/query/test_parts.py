"""Groups asked for in portions: each group once, however many there are."""

from __future__ import annotations

import pytest

from agent.query.parts import ALL, Portion, in_parts


@pytest.mark.parametrize(("groups", "most"), [(0, 2), (1, 2), (7, 8), (8, 8), (100, 3)])
def test_every_group_is_read_once_and_no_answer_is_longer_than_what_was_asked_for(groups, most):
    asked: list[Portion] = []

    def ask(portion: Portion, _: int) -> list[tuple[int]]:
        asked.append(portion)
        return [(n,) for n in range(groups) if n % portion.of == portion.number][:most]

    found = [list(rows) for rows in in_parts(ask, most)]
    assert sorted(row for rows in found for row in rows) == [(n,) for n in range(groups)]
    assert all(len(rows) < most for rows in found)
    assert asked[0] == ALL
    assert (len(asked) == 1) == (groups < most)
