"""Pure: a compressed body inflated in small steps, so that a bomb costs its limit and no more."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa

from agent import errors

SUPPORTED = ("identity", "gzip", "deflate", "zstd")

_STEP_BYTES = 64 << 10
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_MAX_MEMBERS = 1000
"""Of one gzip body. An empty member is 20 bytes and costs 10 µs: 64 MiB of them would cost half a minute."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a body may be, and the configuration key that says so."""

    max_bytes: int
    key: str

    def error(self) -> errors.TooLarge:
        """For a body over it, as it comes or inflated."""
        return errors.TooLarge(f"the body is over {self.max_bytes} bytes, {self.key}: send smaller batches")


def encoding_of(body: bytes) -> str | None:
    """``gzip`` or ``deflate`` when the body begins as one, and no protobuf that is OTLP does; else None."""
    if body[:2] == b"\x1f\x8b":
        return "gzip"
    is_zlib = len(body) > 2 and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    return "deflate" if is_zlib else None


def inflated(encoding: str, body: bytes, limit: Limit, grow: Callable[[int], None] = lambda _: None) -> bytes:
    """``body`` without its ``gzip``, ``deflate`` (zlib) or ``zstd`` encoding; several gzip members or zstd frames are one body.

    ``grow`` hears of every few bytes more before they are kept; what it raises ends the work.

    Raises:
        TooLarge: more than the ``limit`` come out.
        MalformedExport: the body is something else, or cut off.
    """
    out = _Output(limit, grow)
    if encoding == "zstd":
        return _zstd_inflated(body, out)
    inflation = _Inflation(encoding, out)
    for start in range(0, len(body), _STEP_BYTES):  # a step copies what it leaves over: the whole rest would be quadratic
        inflation.feed(body[start : start + _STEP_BYTES])
    return inflation.finish()


class _Output:
    """What has come out, once in memory: pieces to be joined would be there twice."""

    def __init__(self, limit: Limit, grow: Callable[[int], None]) -> None:
        self._limit = limit
        self._grow = grow
        self._octets = BytesIO()

    def add(self, piece: bytes) -> None:
        if self._octets.tell() + len(piece) > self._limit.max_bytes:
            raise self._limit.error()
        self._grow(len(piece))
        self._octets.write(piece)

    def octets(self) -> bytes:
        return self._octets.getvalue()


class _Inflation:
    """One body on its way, and the member that is open."""

    def __init__(self, encoding: str, out: _Output) -> None:
        self._encoding = encoding
        self._out = out
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
        return self._out.octets()

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
        self._out.add(piece)
        return piece


def _zstd_inflated(body: bytes, out: _Output) -> bytes:
    """Arrow's stream inflates as far as it is read; libzstd refuses a window over 128 MiB, and touches of it what it fills."""
    if not body:
        raise errors.MalformedExport("the body ends in the middle of its zstd data")
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := stream.read(_STEP_BYTES):
                out.add(piece)
    except OSError as error:
        if "Truncated" in str(error):
            raise errors.MalformedExport("the body ends in the middle of its zstd data") from None
        raise errors.MalformedExport("the body is not zstd data") from None
    return out.octets()
