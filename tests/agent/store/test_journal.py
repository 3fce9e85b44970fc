"""The journal's promise: what was acknowledged comes back exactly, whatever happens to the end of the file."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import schema
from agent.batch import Receipt, Signal
from agent.store.block import Extent
from agent.store.duplicates import request_rows
from agent.store.journal import Frame, Journal, JournalFault, NotAJournal, encode, replay
from tests.agent.store.keeping import cold_blocks, hot_rows, origins

HEADER_BYTES = 16


def frame(count: int, first: int = 0, requests: int = 1) -> Frame:
    """A group of spans as the store journals it."""
    keys = [bytes([n]) * 16 for n in range(requests)]
    batches = {
        "spans": hot_rows(count, first),
        "origins": origins(*range(requests + 1)),
        "requests": request_rows(keys, [Receipt(count, {"reason": 1}, "said")] * requests, first),
    }
    return Frame(batches, [block for block, _ in cold_blocks(count, first)] if count else [])


Content = tuple[dict[str, pa.RecordBatch], list[bytes]]


def content(one: Frame) -> Content:
    """All that a frame says, to be compared."""
    return one.batches, [block.stored for block in one.blocks]


def contents(frames: Iterable[Frame]) -> list[Content]:
    return [content(one) for one in frames]


def extents_of(path: Path) -> list[Extent]:
    return [block.extent for found in replay(path) for block in found.blocks]


FRAMES = [frame(n, first, n % 3) for n, first in ((1, 0), (30, 1), (2, 31), (300, 33))]

OF_OLDER_CODE = base64.b64decode(
    "Q0pGMnCrjQvLAAAAAAAAAAgAAAAAAAAAswAAAAAAAAAoAgAAAAAAACi1L/1gKAFNBQAiihokkKdpDf//v9/d3d1Jn3VZ6BU2sQPY84JMl75ZecD1"
    "1sS2tVCmfwDHEUhAmCbpyUnhwCAqkKJfRGuttdaQyYEXCoXegPb5vM1m8zJa5l3ee2+ifdkaV96jylQSnHkYXlXvIXJRVWwLa60VKCDg9wyYD2OJ"
    "MR6wxBgPWFCxsdLvxgMPPGAZS4zxwAMPuMQYD1jGEmM88MADDzzwwAOWGMMWA4cPY7oL"
)
"""A frame with the origin 7, whose record batch is under zstd."""


def test_frames_of_older_code_come_back_before_those_of_this(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append(OF_OLDER_CODE)
    journal.append(encode(FRAMES[1]))
    journal.close()
    assert contents(replay(journal.path)) == contents([Frame({"origins": origins(7)}), FRAMES[1]])


def written(path: Path, frames: list[Frame]) -> bytes:
    path.unlink(missing_ok=True)
    journal = Journal(path)
    for one in frames:
        journal.append(encode(one))
    journal.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> memoryview:
    """A view: all of the bytes in Hypothesis's report of a failure would be an error of their own."""
    return memoryview(written(tmp_path_factory.mktemp("journal") / "whole.journal", FRAMES))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2**50), st.integers(0, 3)), max_size=5))
def test_what_is_written_comes_back(tmp_path, groups):
    frames = [frame(*group) for group in groups]
    written(tmp_path / "a.journal", frames)
    assert contents(frames) == contents(replay(tmp_path / "a.journal"))


def test_a_frame_may_hold_any_of_its_sections(tmp_path):
    batches, blocks = FRAMES[1].batches, FRAMES[1].blocks
    frames = [*(Frame({name: batches[name]}) for name in batches), Frame(blocks=blocks), Frame(blocks=blocks * 3), Frame()]
    written(tmp_path / "a.journal", frames)
    assert contents(frames) == contents(replay(tmp_path / "a.journal"))


def test_a_frame_says_which_rows_its_blocks_hold(tmp_path):
    written(tmp_path / "a.journal", [frame(5000, 70)])
    (found,) = replay(tmp_path / "a.journal")
    assert found.batches["spans"].schema.names == list(schema.HOT[Signal.TRACES])
    extents = [block.extent for block in found.blocks]
    assert (extents[0].first, extents[-1].end) == (70, 5070)
    states = [state for block in found.blocks for state in block.column("trace_state").to_pylist()]
    assert states == [str(number) for number in range(70, 5070)]


@pytest.mark.parametrize("stored", [0, 69, 70, 1000, 5069, 5070, 9000])
def test_what_is_stored_below_a_mark_is_left_out_and_all_else_comes_back(tmp_path, stored):
    written(tmp_path / "a.journal", [frame(5000, 70), frame(10, 5070)])
    first, second = replay(tmp_path / "a.journal", stored_below={Signal.TRACES: stored, Signal.LOGS: 10_000})
    assert ("spans" in first.batches, "spans" in second.batches) == (stored < 5070, stored < 5080)
    kept = [block.extent for block in (*first.blocks, *second.blocks)]
    assert [extent for extent in extents_of(tmp_path / "a.journal") if extent.end > stored] == kept
    assert contents([frame(5000, 70)])[0][0]["requests"] == first.batches["requests"]
    assert contents([frame(5000, 70)])[0][0]["origins"] == first.batches["origins"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_cut_at_any_byte_leaves_an_exact_prefix(tmp_path, whole, data):
    cut = data.draw(st.integers(HEADER_BYTES, len(whole)))
    path = tmp_path / "cut.journal"
    path.write_bytes(whole[:cut])
    found = contents(replay(path))
    assert found == contents(FRAMES[: len(found)])
    sizes = [len(encode(one)) for one in FRAMES]
    assert len(found) == sum(HEADER_BYTES + sum(sizes[: n + 1]) <= cut for n in range(len(FRAMES)))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_ends_the_replay_before_its_frame(tmp_path, whole, number, bit):
    at = HEADER_BYTES + number % (len(whole) - HEADER_BYTES)
    damaged = bytearray(whole)
    damaged[at] ^= 1 << bit
    path = tmp_path / "flipped.journal"
    path.write_bytes(damaged)
    found = contents(replay(path))
    assert found == contents(FRAMES[: len(found)])
    before = HEADER_BYTES
    intact = 0
    for one in FRAMES:
        before += len(encode(one))
        intact += before <= at
    assert len(found) == intact


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_a_mark_that_became_that_of_older_code_ends_the_replay_before_its_frame(tmp_path, whole, number):
    at = HEADER_BYTES + sum(len(encode(one)) for one in FRAMES[:number])
    assert bytes(whole[at : at + 4]) == b"CJF3"
    (tmp_path / "older.journal").write_bytes(bytes(whole[:at]) + b"CJF2" + bytes(whole[at + 4 :]))
    damaged = []
    found = replay(tmp_path / "older.journal", lambda: damaged.append(True))
    assert contents(found) == contents(FRAMES[:number])
    assert damaged == [True]


@pytest.mark.parametrize("content", [b"x" * 16, b"CORALJNL" + b"\xff" * 8])
def test_a_file_without_this_version_s_header_is_no_journal(tmp_path, content):
    (tmp_path / "other.journal").write_bytes(content)
    with pytest.raises(NotAJournal, match=r"other\.journal"):
        list(replay(tmp_path / "other.journal"))


@pytest.mark.parametrize("content", [b"", b"CORALJNL"])
def test_a_journal_killed_before_its_header_was_whole_has_no_frames(tmp_path, content):
    (tmp_path / "other.journal").write_bytes(content)
    assert list(replay(tmp_path / "other.journal")) == []


def test_a_journal_is_private_to_its_user_and_never_overwrites_another(tmp_path):
    written(tmp_path / "a.journal", FRAMES)
    assert (tmp_path / "a.journal").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "a.journal")
    assert contents(replay(tmp_path / "a.journal")) == contents(FRAMES)


@contextlib.contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Limit the size of a file in this process: a write beyond it fails like one to a full disk. Nothing else may write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_one_frame_whole_and_the_next_append_works(tmp_path):
    path = tmp_path / "a.journal"
    journal = Journal(path)
    journal.append(encode(FRAMES[0]))
    size = path.stat().st_size
    for room in (0, 1, 100):
        with pytest.raises(JournalFault) as fault, file_limit(size + room):
            journal.append(encode(FRAMES[3]))
        assert (fault.value.usable, fault.value.errno) == (True, errno.EFBIG)
        assert path.stat().st_size == size == journal.size, "cut back to the last good frame"
    journal.append(encode(FRAMES[1]))
    journal.close()
    assert contents(replay(path)) == contents(FRAMES[:2])


def test_a_full_disk_at_the_beginning_leaves_no_file(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)), file_limit(8):
        Journal(tmp_path / "a.journal")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_synced_is_never_written_again(tmp_path):
    journal = Journal(tmp_path / "a.journal")
    journal.append(encode(FRAMES[0]))
    read_end, write_end = os.pipe()  # it takes what is written and cannot be synced
    journal_fd = os.dup(journal._fd)
    os.dup2(write_end, journal._fd)
    with pytest.raises(JournalFault) as fault:
        journal.append(b"x" * 100)
    assert not fault.value.usable
    for fd in (read_end, write_end, journal_fd):
        os.close(fd)
    journal.close()
    assert contents(replay(tmp_path / "a.journal")) == contents(FRAMES[:1])


def test_closing_twice_is_closing_once(tmp_path):
    journal = Journal(tmp_path / "a.journal")
    journal.close()
    journal.close()
