"""A block is what was written or BlockDamaged; and it answers as its rows would."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import schema
from agent.batch import Signal
from agent.store.block import HEAD, Block, BlockDamaged, Extent, Loose, encode, joined, read_head
from agent.store.grams import Sought
from agent.store.tally import Forms
from tests.agent.store.drawing import ATTRIBUTES, loose
from tests.telemetry import attributes

LOGS = Signal.LOGS
SIGNALS = pytest.mark.parametrize("signal", Signal)
ROWS = [[b"common", b"rare 1"], [], [b"common"], [b"rare 2", b"common"]]
BODIES = ["first", None, "Broken pipe", "last"]
WHOLE = encode(loose(LOGS, 4, 100, attributes=ROWS, body_text=BODIES))


def damaged(stored: bytes) -> bool:
    try:
        Block(stored)
    except BlockDamaged:
        return True
    return False


def test_a_block_knows_which_rows_it_holds():
    block = Block(WHOLE)
    assert block.extent == Extent(LOGS, 100, 104, 100, 103)
    assert block.extent.rows == 4
    assert read_head(WHOLE[: HEAD.size]) == (block.extent, len(WHOLE))


@SIGNALS
@pytest.mark.parametrize("extent", [(0, 0, 0), (2**62, -(2**63), 2**63 - 1), (7, -1, 1)])
def test_any_extent_comes_back(signal, extent):
    first, least, greatest = extent
    made = Extent(signal, first, first + 3, least, greatest)
    assert Block(encode(Loose(made, loose(signal, 3).rows))).extent == made


def test_any_flipped_bit_is_damage():
    for at in range(len(WHOLE)):
        for bit in range(8):
            flipped = bytearray(WHOLE)
            flipped[at] ^= 1 << bit
            assert damaged(bytes(flipped)), (at, bit)


def test_a_cut_anywhere_and_anything_behind_it_is_damage():
    assert not damaged(WHOLE)
    assert all(damaged(WHOLE[:cut]) for cut in range(len(WHOLE)))
    assert all(damaged(WHOLE + behind) for behind in (b"\0", WHOLE))


@given(st.binary(max_size=200))
def test_other_bytes_are_no_block(content):
    assert damaged(content)
    assert damaged(WHOLE[:12] + content)


@SIGNALS
def test_every_cold_column_comes_back_by_its_name(signal):
    rows = loose(signal, 5, 30)
    block = Block(encode(rows))
    for name in schema.COLD[signal]:
        assert block.column(name) == rows.column(name)
        assert list(block.values(name, [4, 0])) == list(rows.values(name, [4, 0]))


@settings(max_examples=40, deadline=None)
@given(rows=ATTRIBUTES.filter(bool), asked=ATTRIBUTES, skipped=st.integers(0, 3))
def test_a_block_and_loose_rows_have_what_a_plain_scan_finds(rows, asked, skipped):
    part = loose(LOGS, len(rows), attributes=rows)
    cut = Loose(part.extent, loose(LOGS, skipped + len(rows), attributes=[[b"key=a"]] * skipped + rows).rows.slice(skipped))
    for wire in {wire for row in (*rows, *asked) for wire in row} - {b""}:
        plainly = [index for index, row in enumerate(rows) if wire in row]
        for piece in (part, cut, Block(encode(part)), Block(encode(cut))):
            found = piece.having("attributes", Forms((wire,))).tolist()
            assert found == sorted(found)
            assert sorted(set(found)) == plainly
            assert piece.count_having("attributes", Forms((wire,))) == len(plainly)


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.none() | st.text("abA üÜ", max_size=6), min_size=1, max_size=10),
    wanted=st.text("abü", min_size=1, max_size=2),
)
def test_a_block_and_loose_rows_contain_what_a_plain_scan_finds(texts, wanted):
    part = loose(LOGS, len(texts), body_text=texts)
    plainly = [index for index, text in enumerate(texts) if text is not None and wanted in text.lower()]
    for piece in (part, Block(encode(part))):
        assert piece.containing("body_text", wanted).tolist() == plainly


@pytest.mark.parametrize("sizes", [[1], [1, 1], [3, 4, 5]])
@SIGNALS
def test_joined_pieces_are_their_rows_in_order_packed_or_not(signal, sizes):
    pieces: list[Any] = []
    end = 50
    for number, size in enumerate(sizes):
        texts = [f"{end + n}" for n in range(size)]
        name = {Signal.TRACES: "trace_state", Signal.LOGS: "body_text", Signal.METRICS: "description"}[signal]
        columns: dict[str, list[Any]] = {name: texts, "attributes": [[text.encode()] for text in texts]}
        piece = loose(signal, size, end, **columns)
        pieces.append(Block(encode(piece)) if number % 2 else piece)
        end += size
    whole = joined(pieces)
    assert whole.extent == Extent(signal, 50, end, 50, end - 1)
    assert whole.column(name).to_pylist() == [str(number) for number in range(50, end)]
    assert whole.column("attributes").to_pylist() == [[str(number).encode()] for number in range(50, end)]
    assert Block(encode(whole)).column(name) == whole.column(name)


def test_the_times_of_joined_pieces_are_the_extremes():
    early, late = Extent(LOGS, 0, 1, 5, 9), Extent(LOGS, 1, 2, -3, 6)
    rows = loose(LOGS, 1).rows
    assert joined([Loose(early, rows), Loose(late, rows)]).extent == Extent(LOGS, 0, 2, -3, 9)


def test_rows_keep_the_order_of_their_attributes():
    lists = [[b"z", b"a", b"z"], [b"a", b"only here", b"z"]]
    block = Block(encode(loose(LOGS, 2, attributes=lists)))
    assert block.column("attributes") == pa.array(lists, schema.LOGS.field("attributes").type)


OLDER = base64.b64decode(
    "Q0JLMTObIxbO5spTeQEAAAMAAABkAAAAAAAAAGQAAAAAAAAAZgAAAAAAAAACAAAAHQAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAA"
    "AAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAB"
    "AAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAADAAAAAwAAAAABAAADAAAAAwAAAAAAAAAS"
    "AAAAEgAAAAABAAABAAAAAQAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAA"
    "AAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAA"
    "AAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAsAB0Jyb2tlbiBwaXBlZ3LDvMOfZQE="
)
"""What was written before blocks had a filter of their texts: bodies "Broken pipe", none, "grüße"."""


def test_a_block_without_a_filter_as_they_once_were_is_read_and_searched():
    block = Block(OLDER)
    assert block.column("body_text").to_pylist() == ["Broken pipe", None, "grüße"]
    for word, rows in (("broken", [0]), ("grüße", [2]), ("zebra", [])):
        assert block.may_contain(Sought(word)), "nobody knows"
        assert block.containing("body_text", word).tolist() == rows


def test_a_block_says_what_none_of_its_bodies_has():
    block = Block(WHOLE)
    assert block.may_contain(Sought("broken pipe"))
    assert not block.may_contain(Sought("zebra"))
    assert WHOLE[HEAD.size :].startswith(
        encode(loose(LOGS, 4, 100, attributes=ROWS, body_text=BODIES), lasting=False)[HEAD.size :]
    )


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.METRICS])
def test_signals_without_searched_texts_have_no_filter(signal):
    assert encode(loose(signal, 3)) == encode(loose(signal, 3), lasting=False)


OF_OLDER_CODE = (
    "Q0JLMalUsukG1bYAAQIAAAgAAABkAAAAAAAAAGQAAAAAAAAAawAAAAAAAAACAAAAHQAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAA"
    "AAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAA"
    "AAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAABAAAAAQAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAABAAAAAQAAAAABAA"
    "AAAAAAAAAAAAABAAAAAAAAAAAAAAABAAABAAAAAQAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAABAAAAAQAAAAEA"
    "AAAAAgAAdQAAAAABAAAMAAAADAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAABAAAAAAAAAAAAAAEBAiAotS/9YAABXQ"
    "MAhAQKDmFwcC5yZXF1ZXN0LmlkEg4KDDBiZWVmChlodHRwLnJlc3BvbnNlLnN0YXR1c19jb2RlEgMY9AMx9TL2M/c0+DX5Nvo3+wMPAMARwBxw"
    "GGAEOAcYBhwBzAGHAUaAc4Bh4AgOIbwuYAICEgCAAFIhBZEFCib5i445AAAAAAAAAADKb0n+BcTpnQwAAABDQkcx"
)
"""A block of eight log records, each with an ``app.request.id`` and a status code of its own, whose sieve mixes once."""


def test_attributes_in_blocks_of_older_code_are_found():
    block = Block(base64.b64decode("".join(OF_OLDER_CODE)))
    for number in range(8):
        wanted = attributes({"app.request.id": f"{number:08x}beef", "http.response.status_code": 500 + number})
        for wire in wanted:
            forms = Forms((wire.SerializeToString(),))
            assert block.having("attributes", forms).tolist() == [number]
            assert block.count_having("attributes", forms) == 1
    absent = Forms((attributes({"app.request.id": "absent"})[0].SerializeToString(),))
    assert not len(block.having("attributes", absent))
    assert block.count_having("attributes", absent) == 0
