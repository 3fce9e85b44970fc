"""Who may ask: exactly the identities that are named, or one segment below a parent; everything else may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.identity import Door, described, matches

C1 = "spiffe://coral/colony/c1"
COLONY = "spiffe://coral/colony/*"

ADMITTED = [(C1, C1), (C1, COLONY), ("spiffe://coral/colony/_-.x", COLONY), ("spiffe://coral/a", "spiffe://coral/*")]


@pytest.mark.parametrize(("identity", "pattern"), ADMITTED)
def test_an_identity_that_a_pattern_names_may_ask(identity, pattern):
    assert matches(identity, pattern)


REFUSED = {
    "an agent under a colony": ("spiffe://coral/colony/c1/agent/a1", COLONY),
    "one segment more": (C1 + "/x", COLONY),
    "one segment less": ("spiffe://coral/colony", COLONY),
    "no last segment": ("spiffe://coral/colony/", COLONY),
    "two slashes": ("spiffe://coral/colony//c1", COLONY),
    "a longer parent": ("spiffe://coral/colony2/c1", COLONY),
    "a prefix": ("spiffe://coral/colony/c", C1),
    "a suffix": (C1 + "0", C1),
    "a trailing slash": (C1 + "/", C1),
    "a trailing slash under a parent": (C1 + "/", COLONY),
    "upper case in the path": ("spiffe://coral/Colony/c1", COLONY),
    "upper case in the last segment": ("spiffe://coral/colony/C1", C1),
    "upper case in the trust domain": ("spiffe://Coral/colony/c1", COLONY),
    "upper case in the scheme": ("SPIFFE://coral/colony/c1", COLONY),
    "another trust domain": ("spiffe://coral.evil/colony/c1", COLONY),
    "user and port": ("spiffe://user@coral:1/colony/c1", COLONY),
    "percent-encoded": ("spiffe://coral/colony/c%31", COLONY),
    "an encoded slash": ("spiffe://coral/colony%2Fc1", COLONY),
    "a query": (C1 + "?x=1", COLONY),
    "a fragment": (C1 + "#x", COLONY),
    "dot": ("spiffe://coral/colony/.", COLONY),
    "dot dot": ("spiffe://coral/colony/..", COLONY),
    "dot dot before": ("spiffe://coral/x/../colony/c1", "spiffe://coral/x/../colony/*"),
    "a new line": (C1 + "\n", COLONY),
    "a nul": (C1 + "\0", COLONY),
    "a star": ("spiffe://coral/colony/*", COLONY),
    "other letters": ("spiffe://coral/colony/с1", COLONY),  # a Cyrillic letter
    "https": ("https://coral/colony/c1", COLONY),
    "nothing": ("", COLONY),
    "a trust domain alone": ("spiffe://coral", "spiffe://coral"),
    "a star in the middle": ("spiffe://coral/colony/c1/x", "spiffe://coral/*/c1/x"),
    "a star beside text": (C1, "spiffe://coral/colony/c*"),
}


@pytest.mark.parametrize(("identity", "pattern"), REFUSED.values(), ids=REFUSED.keys())
def test_every_other_identity_may_not(identity, pattern):
    assert not matches(identity, pattern)


SEGMENT = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)


@given(st.lists(SEGMENT, min_size=1, max_size=4), st.lists(SEGMENT, min_size=1, max_size=4))
def test_a_star_is_one_segment_and_nothing_else_is_a_pattern(path, parent):
    identity = "spiffe://coral/" + "/".join(path)
    assert matches(identity, "spiffe://coral/" + "/".join(parent) + "/*") == (path[:-1] == parent)
    assert matches(identity, "spiffe://coral/" + "/".join(parent)) == (path == parent)


@given(st.text())
def test_no_text_is_admitted_by_chance(text):
    assert not matches(text, COLONY) or text.startswith("spiffe://coral/colony/")


def test_a_door_asks_for_exactly_one_identity():
    door = Door([COLONY])
    assert door.admits([C1.encode()])
    assert not door.admits([])
    assert not door.admits([C1.encode(), C1.encode()])
    assert not door.admits([C1.encode() + b"\xff"])


def test_any_of_the_patterns_will_do_and_no_pattern_admits_nobody():
    assert Door(["spiffe://coral/other", C1]).admits([C1.encode()])
    assert not Door([]).admits([C1.encode()])


def test_a_door_without_patterns_is_open_on_this_machine():
    assert Door(None).admits([])
    assert Door(None).admits([b"anything", b"at all"])


@pytest.mark.parametrize(
    ("identities", "said"),
    [
        ([], "no identity"),
        ([b"spiffe://a/b", b"spiffe://a/c"], "several identities"),
        ([b"spiffe://coral/colony/c1"], "spiffe://coral/colony/c1"),
        ([b"spiffe://EVIL!/ada@example.com"], "a malformed identity"),
        ([b"spiffe://coral/" + b"x" * 300], "a malformed identity"),
        ([b"\xff"], "a malformed identity"),
    ],
)
def test_the_log_says_an_identity_and_no_other_text_of_a_peers(identities, said):
    assert described(identities) == said
