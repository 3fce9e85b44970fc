"""Frames on disk: append, sync, cut back, replay. The journal is the promise (ADR 3).

A journal opens with ``MAGIC`` and ``schema.VERSION``. A frame is one group: a header (mark, CRC-32 of what follows it, size)
and sections: the Arrow IPC bytes of a record batch under LZ4, or blocks, which are packed already. Replay ends at the first
frame that is short, marked wrong or fails its CRC: what came back is an exact prefix of what was acknowledged.
"""

from __future__ import annotations

import errno
import functools
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from agent import schema
from agent.batch import Signal
from agent.store.block import HEAD, Block, read_head

MAGIC = b"CORALJNL"
_FILE_HEADER = struct.Struct("<8sII")  # magic, version, reserved
_FRAME_HEADER = struct.Struct("<4sIQ")  # mark, CRC-32, body bytes
_MARK = b"CJF3"
_SECTION = struct.Struct("<BxxxxxxxQQ")  # section number, stored bytes, raw bytes
_CODECS = {_MARK: pa.Codec("lz4_raw"), b"CJF2": pa.Codec("zstd")}
"""What packs the record batches of frames with a mark; older code wrote the other."""

SECTIONS: dict[int, tuple[str, pa.Schema]] = {
    1: ("spans", schema.hot_schema(Signal.TRACES)),
    2: ("logs", schema.hot_schema(Signal.LOGS)),
    3: ("points", schema.hot_schema(Signal.METRICS)),
    8: ("origins", schema.ORIGINS),
    9: ("requests", schema.REQUESTS),
}
"""The numbers are on disk: they are never given to anything else."""

_BLOCK = 16
"""The number of a section that is a block."""

_NUMBERS = {name: number for number, (name, _) in SECTIONS.items()}

NOTHING_STORED: Mapping[Signal, int] = {}


@dataclass(slots=True)
class Frame:
    """One group: its record batches by section name (hot columns only), and the blocks of its cold columns."""

    batches: dict[str, pa.RecordBatch] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


class JournalFault(OSError):
    """The journal refused an append; ``usable`` says whether the next append may go to the same file."""

    def __init__(self, cause: OSError, *, usable: bool) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.usable = usable


class NotAJournal(ValueError):
    """The file is not a journal of this version."""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, header included."""
    parts: list[bytes] = []
    for name, batch in frame.batches.items():
        raw = batch.serialize()
        stored = _CODECS[_MARK].compress(raw, asbytes=True)
        parts += [_SECTION.pack(_NUMBERS[name], len(stored), raw.size), stored]
    for block in frame.blocks:
        parts += [_SECTION.pack(_BLOCK, len(block.stored), len(block.stored)), block.stored]
    size = struct.pack("<Q", sum(map(len, parts)))
    crc = functools.reduce(lambda crc, part: zlib.crc32(part, crc), parts, zlib.crc32(size))
    return b"".join((_MARK, struct.pack("<I", crc), size, *parts))


def _decode(body: memoryview, codec: pa.Codec, stored_below: Mapping[Signal, int]) -> Frame:
    """A frame's content, without the rows and blocks that the files have."""
    frame = Frame()
    are_stored: dict[str, bool] = {}
    for number, raw, content in reversed(list(_sections(body))):  # a signal's blocks stand behind its rows, the last decides
        if number == _BLOCK:
            extent, _ = read_head(content[: HEAD.size])
            is_stored = extent.end <= stored_below.get(extent.signal, 0)
            are_stored.setdefault(schema.TABLE_NAMES[extent.signal], is_stored)
            if not is_stored:
                frame.blocks.insert(0, Block(bytes(content)))
        elif not are_stored.get(name := SECTIONS[number][0]):
            batch = codec.decompress(content, decompressed_size=raw)
            frame.batches[name] = pa.ipc.read_record_batch(batch, SECTIONS[number][1])
    return frame


def _sections(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, raw size and stored bytes of each section."""
    at = 0
    while at < len(body):
        number, stored, raw = _SECTION.unpack_from(body, at)
        at += _SECTION.size + stored
        yield number, raw, body[at - stored : at]


def replay(
    path: Path, damaged: Callable[[], None] = lambda: None, stored_below: Mapping[Signal, int] = NOTHING_STORED
) -> Iterator[Frame]:
    """The intact frames of a journal, in order; none of one that was killed before its header was whole.

    Args:
        path: the journal.
        damaged: called when it goes on behind them with more than the beginning of a frame, which is what a kill leaves.
        stored_below: arrival numbers under which a signal's rows and blocks are not wanted.

    Raises:
        NotAJournal: the file does not open with this version's header.
    """
    with path.open("rb") as file:
        header = file.read(_FILE_HEADER.size)
        if len(header) < _FILE_HEADER.size:
            return
        if _FILE_HEADER.unpack(header)[:2] != (MAGIC, schema.VERSION):
            raise NotAJournal(f"{path.name} is not a journal of version {schema.VERSION}")
        while len(head := file.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            mark, crc, body_bytes = _FRAME_HEADER.unpack(head)
            left = path.stat().st_size - file.tell()
            if mark not in _CODECS:
                damaged()
                return
            if body_bytes > left:  # cut short, or a damaged size, which must not be read by
                return
            body = file.read(body_bytes)
            if zlib.crc32(body, zlib.crc32(head[8:])) != crc:
                damaged()
                return
            try:
                frame = _decode(memoryview(body), _CODECS[mark], stored_below)
            except (OSError, pa.ArrowException):  # the mark, which the CRC does not cover, became that of another codec
                damaged()
                return
            yield frame


class Journal:
    """A journal open for appending; one writer."""

    def __init__(self, path: Path) -> None:
        """Create the file and make its name durable.

        Raises:
            OSError: the file cannot be created.
        """
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._identity = os.fstat(self._fd)
        self.size = 0
        try:
            self._write(_FILE_HEADER.pack(MAGIC, schema.VERSION, 0))
            sync_directory(path.parent)
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, frame: bytes) -> None:
        """Write a frame and sync it: when this returns, the frame survives kill -9 and power loss.

        Raises:
            JournalFault: nothing of the frame is kept.
        """
        self._write(frame)
        if not self.is_linked():
            self._cut_back(self.size - len(frame))
            raise JournalFault(OSError(errno.ESTALE, "the journal was removed or replaced"), usable=False)

    def is_linked(self) -> bool:
        """Whether the path still leads to the file that is written (2 microseconds)."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(found, self._identity)

    def _write(self, content: bytes) -> None:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise JournalFault(error, usable=self._cut_back(self.size)) from error
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            # After a failed sync the kernel may have dropped the dirty pages: this file is never written again.
            self._cut_back(self.size)
            raise JournalFault(error, usable=False) from error
        self.size += len(content)

    def _cut_back(self, size: int) -> bool:
        try:
            os.ftruncate(self._fd, size)
            os.lseek(self._fd, size, os.SEEK_SET)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file; its content stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def sync_directory(path: Path) -> None:
    """Make created and removed names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
