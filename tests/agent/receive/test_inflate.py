"""Bodies inflated within their limit: whole, in several members, cut off, garbage, bombs."""

import gzip
import tracemalloc
import zlib

import pyarrow as pa
import pytest

from agent import errors
from agent.receive import inflate
from agent.receive.inflate import Limit, encoding_of
from tests.agent.receive.recording import spans


def inflated(encoding: str, body: bytes, max_bytes: int) -> bytes:
    return inflate.inflated(encoding, body, Limit(max_bytes, "some.key"))


def zstd(body: bytes) -> bytes:
    squeezed: bytes = pa.Codec("zstd").compress(body, asbytes=True)
    return squeezed


BODY = bytes(range(256)) * 1000


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd)])
@pytest.mark.parametrize("body", [b"", b"a", BODY])
def test_a_body_comes_out_as_it_went_in(encoding, compress, body):
    assert body == inflated(encoding, compress(body), len(BODY))


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_body_longer_than_a_step_comes_out_whole_whatever_its_ratio(level):
    body = b"\0" * 300_001 + BODY + b"\0" * 300_001
    assert body == inflated("gzip", gzip.compress(body, level), len(body))


def test_gzip_members_one_after_another_are_one_body():
    assert inflated("gzip", b"".join(map(gzip.compress, [b"one", b"two", b"", BODY])), 1 << 20) == b"onetwo" + BODY


def test_zstd_frames_one_after_another_are_one_body():
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    body = b"".join([zstd(b"one"), skippable, zstd(b"two"), zstd(b""), zstd(BODY)])
    assert inflated("zstd", body, 1 << 20) == b"onetwo" + BODY


def test_deflate_data_has_no_second_member():
    with pytest.raises(errors.MalformedExport, match="goes on after"):
        inflated("deflate", zlib.compress(b"one") * 2, 100)


def test_a_thousand_members_are_the_most():
    assert inflated("gzip", gzip.compress(b"a") * 1000, 1000) == b"a" * 1000
    with pytest.raises(errors.MalformedExport, match="goes on after"):
        inflated("gzip", gzip.compress(b"a") * 1001, 2000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("body", [b"not compressed", b"\x1f\x8b\x08\xff" + b"x" * 40])
def test_a_body_in_another_encoding_is_malformed(encoding, body):
    with pytest.raises(errors.MalformedExport, match=encoding):
        inflated(encoding, body, 100)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_garbage_after_a_member_is_malformed(encoding, compress):
    with pytest.raises(errors.MalformedExport):
        inflated(encoding, compress(b"one") + b"garbage", 100)


def test_zstd_that_asks_for_more_than_128_mib_of_window_is_malformed():
    with pytest.raises(errors.MalformedExport):
        inflated("zstd", b"\x28\xb5\x2f\xfd\x00\xff" + b"\x01\0\0", 1 << 20)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
@pytest.mark.parametrize("cut", [0, 5, 10, 200, -1])
def test_a_body_that_is_cut_off_is_malformed(encoding, compress, cut):
    with pytest.raises(errors.MalformedExport, match="in the middle"):
        inflated(encoding, compress(BODY)[:cut], 1 << 20)


def test_a_checksum_that_does_not_fit_is_malformed():
    body = bytearray(gzip.compress(BODY))
    body[-6] ^= 1
    with pytest.raises(errors.MalformedExport):
        inflated("gzip", bytes(body), 1 << 20)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_the_limit_is_inclusive(encoding, compress):
    assert inflated(encoding, compress(BODY), len(BODY)) == BODY
    with pytest.raises(errors.TooLarge, match=r"some\.key"):
        inflated(encoding, compress(BODY), len(BODY) - 1)


def gzip_bomb() -> bytes:
    squeezer = zlib.compressobj(9, wbits=31)
    return b"".join(squeezer.compress(b"\0" * (1 << 20)) for _ in range(256)) + squeezer.flush()


@pytest.mark.parametrize(("encoding", "make"), [("gzip", gzip_bomb), ("zstd", lambda: zstd(b"\0" * (256 << 20)))])
def test_a_bomb_costs_its_limit_and_no_more(encoding, make):
    bomb = make()
    arrow = pa.default_memory_pool()
    before = arrow.bytes_allocated()
    tracemalloc.start()
    try:
        with pytest.raises(errors.TooLarge):
            inflated(encoding, bomb, 4 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20
    assert arrow.bytes_allocated() - before < 1 << 20


@pytest.mark.parametrize("level", range(10))
def test_gzip_and_zlib_are_known_by_how_they_begin(level):
    assert encoding_of(gzip.compress(BODY, level)) == "gzip"
    assert encoding_of(zlib.compress(BODY, level)) == "deflate"


@pytest.mark.parametrize("body", [b"", b"\x0a", b"\x1f", b"\x78", spans(3), b"\x0a\x00" * 5, b"\x78\x00\x00"])
def test_what_is_not_compressed_is_not_taken_for_it(body):
    assert encoding_of(body) is None


def test_what_comes_out_is_told_before_it_is_kept_and_may_be_refused():
    told: list[int] = []
    assert len(inflate.inflated("gzip", gzip.compress(BODY), Limit(1 << 20, ""), told.append)) == sum(told)

    def refuse(_: int) -> None:
        raise errors.QueueFull("full")

    with pytest.raises(errors.QueueFull):
        inflate.inflated("zstd", zstd(BODY), Limit(1 << 20, ""), refuse)
