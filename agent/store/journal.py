"""Frames on disk: append, sync, cut back, replay. The journal is the promise (ADR 3).

A journal opens with ``MAGIC`` and ``schema.VERSION``. A frame is one group: a header (mark, CRC-32 of what follows it, sizes)
and a zstd-1 body that holds sections, each the Arrow IPC bytes of one record batch. Replay ends at the first frame that is
short, marked wrong or fails its CRC: what came back is an exact prefix of what was acknowledged.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from agent import schema

MAGIC = b"CORALJNL"
_FILE_HEADER = struct.Struct("<8sII")  # magic, version, reserved
_FRAME_HEADER = struct.Struct("<4sIQQ")  # mark, CRC-32, body bytes, raw bytes
_MARK = b"CJF1"
_SECTION = struct.Struct("<BxxxxxxxQ")  # section number, bytes
_ZSTD = pa.Codec("zstd", compression_level=1)  # 0.2 to 0.5 microseconds a span, six times smaller

SECTIONS: dict[int, tuple[str, pa.Schema]] = {
    1: ("spans", schema.SPANS),
    2: ("logs", schema.LOGS),
    3: ("points", schema.POINTS),
    8: ("origins", schema.ORIGINS),
    9: ("requests", schema.REQUESTS),
}
"""The numbers are on disk: they are never given to anything else."""

_NUMBERS = {name: number for number, (name, _) in SECTIONS.items()}

Frame = Mapping[str, pa.RecordBatch]
"""The record batches of one group by section name."""


class JournalFault(OSError):
    """The journal refused an append; ``usable`` says whether the next append may go to the same file."""

    def __init__(self, cause: OSError, *, usable: bool) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.usable = usable


class NotAJournal(ValueError):
    """The file is not a journal of this version."""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame, header included."""
    parts: list[bytes | pa.Buffer] = []
    for name, batch in frame.items():
        section = batch.serialize()
        parts += [_SECTION.pack(_NUMBERS[name], section.size), section, b"\0" * (-section.size % 8)]
    raw = b"".join(parts)
    body = _ZSTD.compress(raw, asbytes=True)
    sizes = struct.pack("<QQ", len(body), len(raw))
    return b"".join((_MARK, struct.pack("<I", zlib.crc32(body, zlib.crc32(sizes))), sizes, body))


def _decode(raw: pa.Buffer) -> dict[str, pa.RecordBatch]:
    frame: dict[str, pa.RecordBatch] = {}
    at = 0
    while at < raw.size:
        number, size = _SECTION.unpack_from(raw, at)
        at += _SECTION.size
        name, columns = SECTIONS[number]
        frame[name] = pa.ipc.read_record_batch(raw.slice(at, size), columns)
        at += size + -size % 8
    return frame


def replay(path: Path) -> Iterator[dict[str, pa.RecordBatch]]:
    """The intact frames of a journal, in order; none of one that was killed before its header was whole.

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
            mark, crc, body_bytes, raw_bytes = _FRAME_HEADER.unpack(head)
            if mark != _MARK or body_bytes > path.stat().st_size:  # a damaged size must not be read by
                return
            body = file.read(body_bytes)
            if len(body) < body_bytes or zlib.crc32(body, zlib.crc32(head[8:])) != crc:
                return
            yield _decode(_ZSTD.decompress(body, decompressed_size=raw_bytes))


class Journal:
    """A journal open for appending; one writer."""

    def __init__(self, path: Path) -> None:
        """Create the file and make its name durable.

        Raises:
            OSError: the file cannot be created.
        """
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
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

    def _write(self, content: bytes) -> None:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise JournalFault(error, usable=self._cut_back()) from error
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            # After a failed sync the kernel may have dropped the dirty pages: this file is never written again.
            self._cut_back()
            raise JournalFault(error, usable=False) from error
        self.size += len(content)

    def _cut_back(self) -> bool:
        try:
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
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
