"""Text search over a column of texts: which rows contain a wanted text, without regard to case; pure.

The whole column is looked through at once, as one text: a word that is in none of its rows costs no row anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agent.values import folded


def rows_with_text(column: pa.Array, wanted: str) -> npt.NDArray[np.int64]:
    """The indices of the texts that contain ``wanted``, ascending.

    Args:
        column: strings; a null contains nothing.
        wanted: not empty, as ``values.folded`` makes it.
    """
    if not len(column) or column.null_count == len(column):
        return np.zeros(0, np.int64)
    ends = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    whole = column.buffers()[2]
    text = b"" if whole is None else bytes(memoryview(whole)[int(ends[0]) : int(ends[-1])])
    if text.isascii():
        found = _rows_of_places(text.lower(), wanted.encode(), ends - ends[0])
    elif wanted not in folded(text.decode("utf-8", "replace")):
        found = iter(())
    else:
        texts = column.to_pylist()
        found = (row for row, one in enumerate(texts) if one is not None and wanted in folded(one))
    rows = np.fromiter(found, np.int64)
    return rows[np.asarray(column.is_valid())[rows]] if column.null_count else rows  # a null may stand over any bytes


def _rows_of_places(text: bytes, wanted: bytes, ends: npt.NDArray[np.int32]) -> Iterator[int]:
    """The rows of a text, which lie side by side up to their ends, in which a place of ``wanted`` lies whole."""
    at = text.find(wanted)
    while at >= 0:
        row = int(np.searchsorted(ends, at, side="right")) - 1
        end = int(ends[row + 1])
        if at + len(wanted) <= end:
            yield row
            at = text.find(wanted, end)
        else:
            at = text.find(wanted, at + 1)
