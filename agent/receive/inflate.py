"""Pure: a compressed body inflated in small steps, so that a bomb costs its limit and no more."""

from __future__ import annotations

import zlib

import pyarrow as pa

from agent import errors

SUPPORTED = ("identity", "gzip", "deflate", "zstd")

_STEP_BYTES = 64 << 10
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_MAX_MEMBERS = 1000
"""Of one gzip body. An empty member is 20 bytes and costs 10 µs: 64 MiB of them would cost half a minute."""


def inflated(encoding: str, body: bytes, max_bytes: int) -> bytes:
    """``body`` without its ``gzip``, ``deflate`` (zlib) or ``zstd`` encoding; several gzip members or zstd frames are one body.

    Raises:
        TooLarge: more than ``max_bytes`` come out.
        MalformedExport: the body is something else, or cut off.
    """
    if encoding == "zstd":
        return _zstd_inflated(body, max_bytes)
    inflation = _Inflation(encoding, max_bytes)
    for start in range(0, len(body), _STEP_BYTES):  # a step copies what it leaves over: the whole rest would be quadratic
        inflation.feed(body[start : start + _STEP_BYTES])
    return inflation.finish()


class _Inflation:
    """One body on its way: what has come out, and the member that is open."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._members = 1
        self._stream = zlib.decompressobj(_WINDOW_BITS[encoding])

    def feed(self, octets: bytes) -> None:
        full_step = False
        while octets or full_step:  # a full step may have left more inside the stream, even without input
            if self._stream.eof:
                self._next_member()
            piece = self._step(octets)
            full_step = len(piece) == _STEP_BYTES and not self._stream.eof
            octets = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def finish(self) -> bytes:
        if not self._stream.eof:
            raise errors.MalformedExport(f"the body ends in the middle of its {self._encoding} data")
        return b"".join(self._pieces)

    def _next_member(self) -> None:
        self._members += 1
        if self._encoding == "deflate" or self._members > _MAX_MEMBERS:
            raise errors.MalformedExport(f"the body goes on after its {self._encoding} data")
        self._stream = zlib.decompressobj(_WINDOW_BITS[self._encoding])

    def _step(self, octets: bytes) -> bytes:
        try:
            piece = self._stream.decompress(octets, _STEP_BYTES)
        except zlib.error:
            raise errors.MalformedExport(f"the body is not {self._encoding} data") from None
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise too_large(self._max_bytes)
        self._pieces.append(piece)
        return piece


def _zstd_inflated(body: bytes, max_bytes: int) -> bytes:
    """Arrow's stream inflates as far as it is read; libzstd refuses a window over 128 MiB, and touches of it what it fills."""
    if not body:
        raise errors.MalformedExport("the body ends in the middle of its zstd data")
    pieces: list[bytes] = []
    size = 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := stream.read(_STEP_BYTES):
                size += len(piece)
                if size > max_bytes:
                    raise too_large(max_bytes)
                pieces.append(piece)
    except OSError as error:
        if "Truncated" in str(error):
            raise errors.MalformedExport("the body ends in the middle of its zstd data") from None
        raise errors.MalformedExport("the body is not zstd data") from None
    return b"".join(pieces)


def too_large(max_bytes: int) -> errors.TooLarge:
    """The error for a body over the limit, as it comes or inflated."""
    return errors.TooLarge(f"the body is over {max_bytes} bytes, otlp.http.max_request_body_size: send smaller batches")
