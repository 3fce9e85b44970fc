"""Blocks that were read last are read again without the file, and what they take stays bounded."""

from __future__ import annotations

import os
import random
import threading
import tracemalloc
from pathlib import Path

from agent import schema
from agent.batch import Signal
from agent.store.block import BLOCK_ROWS, Block, encode
from agent.store.cold import Cold, Place, read_block, write_blocks
from agent.store.remembered import BLOCKS_BYTES, LARGEST_BLOCK, Blocks
from agent.store.segment import Bounds, Part, Segment
from agent.store.shelf import Shelf
from agent.store.store import View
from tests.agent.store.drawing import loose
from tests.telemetry import attributes

LOGS = Signal.LOGS


def block(first: int, rows: int, body: int) -> Block:
    """Log records with bodies of so many characters that nothing compresses, and attributes of which one is new in each."""
    dice = random.Random(first)
    bodies = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=body)) for _ in range(rows)]
    pairs = [attributes({"id": f"{dice.getrandbits(64):016x}", "host": f"h{dice.randrange(9)}"}) for _ in range(rows)]
    wires = [[pair.SerializeToString() for pair in of_one] for of_one in pairs]
    return Block(encode(loose(LOGS, rows, first, body_text=bodies, attributes=wires)))


class Written:
    """A view of a segment whose blocks, one for each of these numbers of rows, lie in a file."""

    def __init__(self, directory: Path, *blocks: Block) -> None:
        self.segment = Segment("1_2_a", directory, 1, 2)
        self.places: list[Place] = write_blocks(self.segment.blocks, blocks, 0)
        last = blocks[-1].extent.end
        part = Part(bounds=Bounds(last, 0, last - 1, 0), cold=Cold(tuple(self.places)))
        self.view = View(self.segment, part, True, True)

    def bodies(self, blocks: Blocks, *arrivals: int) -> list[str]:
        shelf = Shelf(self.view, lambda: None, blocks)
        try:
            return [body for (body,) in shelf.rows(arrivals, ["body_text"]).values()]
        finally:
            shelf.close()


def test_what_was_read_is_read_again_without_the_file(tmp_path):
    blocks, written = Blocks(), Written(tmp_path, block(0, 10, 20), block(10, 10, 20))
    first = written.bodies(blocks, 1, 2)
    other = written.bodies(Blocks(), 5)
    written.segment.blocks.unlink()
    assert written.bodies(blocks, 1, 2) == first
    assert written.bodies(blocks, 5) == other, "another row of the same block"
    assert written.bodies(blocks, 15) == [], "of the other block nothing was read"
    assert written.bodies(Blocks(), 1) == []


def test_a_block_of_wide_rows_is_not_kept(tmp_path):
    wide = block(0, 4, LARGEST_BLOCK // 4)
    blocks, written = Blocks(), Written(tmp_path, wide)
    assert wide.unpacked_bytes > LARGEST_BLOCK
    assert len(written.bodies(blocks, 1)) == 1
    written.segment.blocks.unlink()
    assert written.bodies(blocks, 1) == []


def test_those_read_longest_ago_go_first(tmp_path):
    of_one = block(0, 512, 512)
    count = BLOCKS_BYTES // of_one.unpacked_bytes + 2
    blocks, written = Blocks(), Written(tmp_path, *(block(512 * n, 512, 512) for n in range(count)))
    for n in range(count):
        written.bodies(blocks, 512 * n)
    written.segment.blocks.unlink()
    assert written.bodies(blocks, 0) == []
    assert len(written.bodies(blocks, 512 * (count - 1))) == 1


def test_a_block_counts_at_least_what_it_takes(tmp_path):
    written = Written(tmp_path, block(0, BLOCK_ROWS, 100))
    fd = os.open(written.segment.blocks, os.O_RDONLY)
    tracemalloc.start()
    try:
        kept = read_block(fd, written.places[0])
        for name in schema.COLD[LOGS]:
            kept.values(name, range(0, BLOCK_ROWS, 7))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        os.close(fd)
    assert held <= kept.unpacked_bytes <= 3 * held


def test_threads_read_one_block_alike(tmp_path):
    written = Written(tmp_path, block(0, 200, 2000))  # bodies of several frames
    expected = written.bodies(Blocks(), *range(200))
    for _ in range(10):
        blocks, found = Blocks(), dict[int, list[str]]()

        def read(number: int, blocks: Blocks = blocks, found: dict[int, list[str]] = found) -> None:
            few, many = range(number, 200, 20), range(200)
            found[number] = written.bodies(blocks, *few) + written.bodies(blocks, *many)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert found == {number: expected[number::20] + expected for number in range(4)}
