"""A large request cut by hand: into several small ones that together say the same, or around records too large; pure.

ptars holds the interpreter's lock while it decodes, and then nothing else runs: of slices of ``SLICE_BYTES`` 20 ms at the
worst, of a request of 64 MiB at once a quarter of a second for ordinary records and more than one for the densest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

from agent import errors
from agent.batch import Signal
from agent.decode.wire import GROUP_STEPS, LENGTH_DELIMITED, MALFORMED, field_at, varint

SLICE_BYTES = 1 << 20

_ENVELOPES = ((1,), (2,), (2,))
_PATHS = {
    Signal.TRACES: _ENVELOPES,
    Signal.LOGS: _ENVELOPES,
    Signal.METRICS: (*_ENVELOPES, (5, 7, 9, 10, 11), (1,)),  # a metric's kind, and its data points
}
"""Numbers of the fields, from the request down to its records, that repeat; what stands beside them is said in each slice."""


def slices(signal: Signal, payload: bytes) -> Iterator[bytes]:
    """The request in slices of about ``SLICE_BYTES``; more where one record, or what stands around records, is larger.

    Raises:
        MalformedExport: a message around the records cannot be read.
    """
    return _pieces(payload, (0, len(payload)), _PATHS[signal])


def without_large(signal: Signal, payload: bytes, max_bytes: int) -> bytes:
    """The request without records of more than ``max_bytes``, and whatever else it has.

    Raises:
        MalformedExport: a message around the records cannot be read.
    """
    out = BytesIO()
    for part in _kept(payload, (0, len(payload)), _PATHS[signal], max_bytes):
        out.write(part)
    return out.getvalue()


def _kept(payload: bytes, within: tuple[int, int], path: Sequence[tuple[int, ...]], max_bytes: int) -> list[bytes]:
    """What is left of the message at ``within``, in parts."""
    if not path:
        return [payload[within[0] : within[1]]]
    beside, children = _split(payload, within, path[0])
    parts = [beside]
    for tag, (start, end) in children:
        if len(path) > 1 or end - start <= max_bytes:
            inner = _kept(payload, (start, end), path[1:], max_bytes)
            parts += (tag, varint(sum(map(len, inner))), *inner)
    return parts


def _pieces(payload: bytes, within: tuple[int, int], path: Sequence[tuple[int, ...]]) -> Iterator[bytes]:
    """Messages of one kind that together say what the one at ``within`` says."""
    start, end = within
    if end - start <= SLICE_BYTES or not path:
        yield payload[start:end]
        return
    beside, children = _split(payload, within, path[0])
    waiting: list[bytes] = []
    size = 0
    for tag, child in children:
        for piece in _pieces(payload, child, path[1:]):
            if waiting and size + len(piece) > SLICE_BYTES:
                yield beside + b"".join(waiting)
                waiting, size = [], 0
            waiting += (tag, varint(len(piece)), piece)
            size += len(piece)
    yield beside + b"".join(waiting)


def _split(
    payload: bytes, within: tuple[int, int], numbers: Sequence[int]
) -> tuple[bytes, list[tuple[bytes, tuple[int, int]]]]:
    """A message's other fields, and tag and place of those with these numbers."""
    (at, end), group_depth = within, 0
    tags = {number << 3 | LENGTH_DELIMITED: bytes([number << 3 | LENGTH_DELIMITED]) for number in numbers}
    beside: list[bytes] = []
    children: list[tuple[bytes, tuple[int, int]]] = []
    while at < end:
        tag, size, inside = field_at(payload, at, end)
        group_depth += GROUP_STEPS.get(tag & 7, 0)
        if size > end - inside:
            raise errors.MalformedExport(MALFORMED)
        if tag in tags and not group_depth:
            children.append((tags[tag], (inside, inside + size)))
        else:
            beside.append(payload[at : inside + size])
        at = inside + size
    return b"".join(beside), children
