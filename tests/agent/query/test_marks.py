"""Marks in scrubbed text, and what stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.query.marks import may_be_a_mark, unmarked
from agent.scrub.rules import Mode, OwnRule, ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.values import folded
from tests.agent.scrub.test_text import MIXED

ROOM = Scrubber(
    ScrubSettings(rules=(OwnRule("order", Mode.PARTIAL, "ORD-[0-9]{8,}"), OwnRule("who", Mode.HMAC, "who-[a-z]+"))), b"k" * 16
)


@pytest.mark.parametrize(
    ("text", "around"),
    [
        ("mail [redacted:email] now", ["mail ", " now"]),
        ("[redacted:order:4567]", ["", ""]),
        ("by hmac:0123456789abcdef01234567.", ["by ", "."]),
        ("hmac:0123", ["hmac:0123"]),
        ("https://redacted:redacted@host/?q=redacted", ["https://", ":", "@host/?q=", ""]),
        ("from 8.8.4.0, 8.8.4.10", ["from ", ", 8.8.4.10"]),
        ("[redacted", ["[", ""]),
    ],
)
def test_what_stands_around_marks(text, around):
    assert list(unmarked(text)) == around


@pytest.mark.parametrize("text", ["REDACTED", "x [Redacted:email] y", "hmac:", "redact", "dacted:", "8.8.4.0"])
def test_a_text_that_holds_a_mark_is_looked_for_among_them(text):
    assert may_be_a_mark(text)


@pytest.mark.parametrize("text", ["red", "act", "email", "hma", "8.8.4.01", "4.0", "edited"])
def test_any_other_is_not(text):
    assert not may_be_a_mark(text)


@given(MIXED, st.sampled_from(["ORD-123456789", "who-ada", "ada@example.com", "8.8.8.8"]))
def test_what_stands_around_the_marks_of_plain_text_stood_in_it_before(text, secret):
    raw = f"{text} {secret} {text}"
    for piece in unmarked(folded(ROOM.body(raw))):
        if raw.isascii() and not raw.lstrip().startswith(("{", "[")):
            assert piece in folded(raw)
