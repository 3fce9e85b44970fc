"""The directory behind the blocks: it says where they lie when their heads do not."""

from __future__ import annotations

import pytest

from agent.store.cold import cut_behind, places_in
from agent.store.directory import places_of_sealed, write_directory
from tests.agent.store.keeping import overwrite
from tests.agent.store.test_cold import written

INVERTED = lambda old: bytes(byte ^ 0xFF for byte in old)  # noqa: E731 a change as the others


def test_a_directory_says_what_the_heads_say_and_is_no_block(tmp_path):
    path = tmp_path / "a.blocks"
    written(path)
    blocks, before = path.read_bytes(), places_in(path)
    assert places_of_sealed(path) == before, "without one"
    for _ in range(2):
        write_directory(path, len(blocks))
        assert places_of_sealed(path) == places_in(path) == places_in(path, checked=True) == before
    cut_behind(path, before)
    assert path.read_bytes() == blocks


def test_damaged_heads_hide_nothing_from_it(tmp_path):
    path = tmp_path / "a.blocks"
    written(path)
    before = places_in(path)
    write_directory(path, path.stat().st_size)
    overwrite(path, 0, INVERTED, 48)
    assert places_in(path) == {}
    assert places_of_sealed(path) == before


@pytest.mark.parametrize("from_end", [1, 5, 16, 17, 100])
def test_a_damaged_directory_leaves_the_heads(tmp_path, from_end):
    path = tmp_path / "a.blocks"
    written(path)
    before = places_in(path)
    write_directory(path, path.stat().st_size)
    overwrite(path, path.stat().st_size - from_end, INVERTED)
    assert places_of_sealed(path) == before


@pytest.mark.parametrize("content", [b"", b"CBD1", b"\0" * 16, bytes(12) + b"CBD1", b"\xff" * 12 + b"CBD1"])
def test_what_is_no_directory_lists_nothing(tmp_path, content):
    path = tmp_path / "a.blocks"
    assert places_of_sealed(path) == {}
    path.write_bytes(content)
    assert places_of_sealed(path) == {}
