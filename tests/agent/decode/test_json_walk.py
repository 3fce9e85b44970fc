"""A JSON body walked piece by piece reads as it does at once, wherever its windows end, and no piece is too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import errors
from agent.decode import json_walk
from agent.decode.json_walk import Walk


@pytest.fixture(scope="module", autouse=True, params=[1, 7, json_walk._WINDOW])
def _window(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_walk, "_WINDOW", request.param)
        yield


def whole(walk: Walk, depth: int) -> Any:
    """What stands there: opened down to ``depth``, below that read at once."""
    first = walk.first()
    if depth and first == ord("{"):
        return {name: whole(walk, depth - 1) for name in walk.members()}
    if depth and first == ord("["):
        return [whole(walk, depth - 1) for _ in walk.elements("things")]
    return walk.value()


def read(body: bytes, depth: int = 2, max_elements: int = 1000) -> Any:
    walk = Walk(body, 0, max_elements)
    found = whole(walk, depth)
    walk.end()
    return found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=30,
)


@given(_JSON, st.booleans(), st.sampled_from([None, 0, 3]), st.integers(0, 4))
def test_any_json_reads_the_same(value: Any, escaped: bool, indent: int | None, depth: int):
    body = json.dumps(value, ensure_ascii=escaped, indent=indent).encode(errors="replace")
    assert orjson.loads(body) == read(body, depth)


@given(_JSON, st.integers(0, 60), st.sampled_from([b"", b",", b"]", b"}", b'"', b"\\", b"1", b"\x01"]), st.integers(0, 4))
def test_what_is_no_json_is_none_when_walked(value: Any, at: int, put: bytes, depth: int):
    body = json.dumps(value).encode()
    body = body[:at] + put + body[at + 1 :]
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(errors.MalformedExport, match="the body is not JSON: "):
            read(body, depth)
    else:
        assert expected == read(body, depth)


@pytest.mark.parametrize("body", [b'"\\\\"', b'"\\\\\\""', b'["{\\"[", "\\\\\\\\"]', b'{"]\\\\": ["}"]}'])
def test_brackets_and_quotes_in_strings_are_text(body):
    assert orjson.loads(body) == read(body)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"[", b"[1", b"[1,", b'{"a"', b'{"a":', b'{"a":1', b'"a', b"[1]]", b"[1 2]", b"{1:2}", b'{"a" 1}']
)
def test_a_body_that_ends_early_or_goes_on_is_malformed(body):
    with pytest.raises(errors.MalformedExport, match=r"the body is not JSON: .* at byte \d+$"):
        read(body)


def test_of_a_name_that_stands_twice_the_last_counts():
    assert read(b'{"a":1,"a":2}') == {"a": 2}


@pytest.mark.parametrize(
    "piece", [b"[" * 51, b"[%s]" % b",".join([b"[]"] * 30), b"[%s]" % b",".join([b"1"] * 60), b'"%s"' % (b"x" * 200)]
)
def test_a_piece_of_too_many_brackets_or_bytes_is_too_large(piece, monkeypatch):
    monkeypatch.setattr(json_walk, "MAX_PIECE_TOKENS", 50)
    monkeypatch.setattr(json_walk, "MAX_PIECE_BYTES", 190)
    with pytest.raises(errors.TooLarge, match=r"byte 5 of the JSON body has more than 50 brackets and commas or 190 bytes"):
        read(b'{"a":' + piece + b"}", depth=1)


def test_lists_of_a_kind_share_one_limit():
    body = b"[[1,2],[3]]"
    assert read(body, max_elements=5) == [[1, 2], [3]]
    with pytest.raises(errors.TooLarge, match=r"more than 4 things, as limits\.max_records has it"):
        read(body, max_elements=4)
