"""The directory at the end of a sealed block file: each block's head once more, so that a damaged one hides only its own rows.

Behind the last block: for each block its offset (u64) and its head; then the XXH3 of all that (u64), how many they are (u32), a
mark. A reader of blocks alone stops there, since no block begins with that.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import xxhash

from agent.batch import Signal
from agent.store.block import HEAD, BlockDamaged, read_head
from agent.store.cold import Place, places_in

_OFFSET = struct.Struct("<Q")
_ENTRY = _OFFSET.size + HEAD.size
_END = struct.Struct("<QI4s")
_MARK = b"CBD1"


def write_directory(path: Path, end: int) -> None:
    """Append the directory of the blocks in the first ``end`` bytes, which are all there are; it is not synced.

    Raises:
        OSError: it could not be written.
    """
    places = sorted((place for found in places_in(path).values() for place in found), key=lambda place: place.offset)
    with path.open("r+b") as file:
        entries = b"".join(_OFFSET.pack(one.offset) + os.pread(file.fileno(), HEAD.size, one.offset) for one in places)
        file.truncate(end)
        file.seek(end)
        file.write(entries + _END.pack(xxhash.xxh3_64_intdigest(entries), len(places), _MARK))


def places_of_sealed(path: Path) -> dict[Signal, list[Place]]:
    """Where the blocks of a sealed segment lie: by its directory; by their heads when that is not there, or damaged.

    Raises:
        OSError: it cannot be read.
    """
    if not path.exists():
        return {}
    with path.open("rb") as file:
        found = _listed(file.fileno(), os.fstat(file.fileno()).st_size)
    return places_in(path) if found is None else found


def _listed(fd: int, size: int) -> dict[Signal, list[Place]] | None:
    """What the directory says; None when there is none that is intact."""
    if size < _END.size:
        return None
    digest, count, mark = _END.unpack(os.pread(fd, _END.size, size - _END.size))
    begin = size - _END.size - count * _ENTRY
    if mark != _MARK or begin < 0:
        return None
    entries = os.pread(fd, count * _ENTRY, begin)
    if xxhash.xxh3_64_intdigest(entries) != digest:
        return None
    found: dict[Signal, list[Place]] = {}
    for at in range(0, len(entries), _ENTRY):
        try:
            extent, stored = read_head(entries[at + _OFFSET.size : at + _ENTRY])
        except BlockDamaged:
            return None
        (offset,) = _OFFSET.unpack_from(entries, at)
        found.setdefault(extent.signal, []).append(Place(extent, offset, stored))
    return found
