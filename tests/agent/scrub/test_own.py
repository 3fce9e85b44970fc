"""Rules of the configuration: what each mode makes of a match or of the value under a key, in which places and signals."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.scrub.own import hints_of, partly
from agent.scrub.rules import Mode, OwnRule, Place, ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.agent.scrub.planted import wire
from tests.agent.scrub.test_scrubber import ATTRIBUTES
from tests.agent.scrub.test_text import MIXED

NUMBER = "C-[0-9]{8}"


def room(*rules: OwnRule, profile: str = "default", signal: str | None = None) -> Scrubber:
    return Scrubber(ScrubSettings(profile, rules=rules), b"k", signal)


def rule(mode: Mode, pattern: str | None = NUMBER, *keys: str, name: str = "own", **where: frozenset[str]) -> OwnRule:
    return OwnRule(name, mode, pattern, keys, **where)


def value_of(left: bytes | None) -> str:
    assert left is not None
    return KeyValue.FromString(left).value.string_value


PSEUDONYM = room(rule(Mode.HMAC)).text("C-12345678")

MODES = [
    (Mode.MASK, "[REDACTED:own]"),
    (Mode.DROP, "[REDACTED:own]"),
    (Mode.PARTIAL, "[REDACTED:own]"),
    (Mode.HMAC, PSEUDONYM),
    (Mode.TRUNCATE_IP, "C-12345678"),
]


@pytest.mark.parametrize(("mode", "left"), MODES)
def test_a_pattern_is_replaced_as_its_mode_says(mode, left):
    own = room(rule(mode))
    assert f"of {left}, paid" == own.text("of C-12345678, paid")
    assert f"of {left}, paid" == value_of(own.attribute(wire("note", "of C-12345678, paid")))
    assert {"a": f"{left}"} == {"a": value_of(own.attribute(wire("note", "C-12345678")))}
    expected = {} if left == "C-12345678" else {("own", mode.value): 3}
    assert expected == own.take_tally()


def test_a_pseudonym_hides_and_links():
    assert PSEUDONYM.startswith("hmac:")
    assert PSEUDONYM == room(rule(Mode.HMAC)).text("C-12345678") != room(rule(Mode.HMAC)).text("C-12345679")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "[REDACTED:own]"),
        ("4111111111111111", "[REDACTED:own:1111]"),
        ("bob@example.com", "[REDACTED:own:@example.com]"),
        ("bob.long.name@a]b.example", "[REDACTED:own:mple]"),
    ],
)
def test_partial_shows_the_last_characters_or_the_domain(text, expected):
    assert expected == partly(rule(Mode.PARTIAL), text)


def test_an_address_in_free_text_loses_its_host():
    own = room(rule(Mode.TRUNCATE_IP, r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b"))
    assert own.text("from 8.8.4.4 and 10.0.0.1") == "from 8.8.4.0 and 10.0.0.1"
    assert own.may_produce("from 8.8.4.0 and 10.0.0.1")


KEYS = [
    (Mode.DROP, None),
    (Mode.MASK, "[REDACTED:own]"),
    (Mode.PARTIAL, "[REDACTED:own:efgh]"),
    (Mode.HMAC, room(rule(Mode.HMAC, None, "app.tenant")).attribute(wire("app.tenant", "abcdabcdefgh"))),
    (Mode.TRUNCATE_IP, "abcdabcdefgh"),
]


@pytest.mark.parametrize(("mode", "left"), KEYS)
def test_a_key_decides_over_the_whole_value(mode, left):
    own = room(rule(mode, None, "app.tenant", "app.account.*"))
    for key in ("app.tenant", "App.Tenant", "app.account.id"):
        cleaned = own.attribute(wire(key, "abcdabcdefgh"))
        if left is None:
            assert cleaned is None
        elif isinstance(left, bytes):
            assert value_of(left) == value_of(cleaned)
        else:
            assert left == value_of(cleaned)
    assert wire("app.tenants", "abcdabcdefgh") == own.attribute(wire("app.tenants", "abcdabcdefgh"))


def test_a_key_inside_a_value_and_in_json_counts_as_well():
    own = room(rule(Mode.MASK, None, "tenant"))
    nested = AnyValue.FromString(own.value(KeyValue.FromString(wire("", {"tenant": "t", "b": "c"})).value.SerializeToString()))
    assert nested.kvlist_value.values[0].value.string_value == "[REDACTED:own]"
    assert value_of(own.attribute(wire("x", '{"tenant":5,"b":"c"}'))) == '{"tenant":"[REDACTED:own]","b":"c"}'


def test_an_own_key_counts_more_than_the_default_rules_and_less_than_an_allowed_one():
    own = Scrubber(ScrubSettings("strict", frozenset({"b"}), (rule(Mode.PARTIAL, None, "password", "b"),)), b"k")
    assert value_of(own.attribute(wire("password", "abcdabcdefgh"))) == "[REDACTED:own:efgh]"
    assert value_of(own.attribute(wire("b", "abcdabcdefgh"))) == "abcdabcdefgh"


def test_a_pattern_under_keys_reads_those_alone():
    own = room(rule(Mode.MASK, NUMBER, "note"))
    assert value_of(own.attribute(wire("note", "C-12345678 paid"))) == "[REDACTED:own] paid"
    assert value_of(own.attribute(wire("other", "C-12345678 paid"))) == "C-12345678 paid"
    assert own.text("C-12345678") == "C-12345678"


def test_places_and_signals_bound_a_rule():
    for place in Place:
        own = room(rule(Mode.MASK, places=frozenset({place.value})))
        left = {
            Place.ATTRIBUTES: value_of(own.attribute(wire("a", "C-12345678"))),
            Place.BODY: own.body("C-12345678"),
            Place.TEXT: own.text("C-12345678"),
        }
        assert {where: "[REDACTED:own]" if where is place else "C-12345678" for where in Place} == left
    logs_only = rule(Mode.MASK, signals=frozenset({"logs"}))
    assert room(logs_only, signal="traces").text("C-12345678") == "C-12345678"
    assert room(logs_only, signal="logs").text("C-12345678") == "[REDACTED:own]"


@pytest.mark.parametrize("pattern", [r"^C-[0-9]+$", r"\bC-[0-9]+\b", "(?i)c-[0-9]+", "ключ.[0-9]+", "[^ ]+-[0-9]{8}"])
def test_a_pattern_with_boundaries_flags_or_letters_is_found_among_other_attributes(pattern):
    own = room(rule(Mode.MASK, pattern))
    secret = "ключ-12345678" if "к" in pattern else "C-12345678"
    left = own.attributes([wire("a", "x"), wire("b", secret), wire("c", 1), wire("d", secret)])
    assert [value_of(wire) for wire in left] == ["x", "[REDACTED:own]", "", "[REDACTED:own]"]


def test_a_pattern_that_matches_its_own_mark_comes_to_rest():
    for mode in Mode:
        own = room(rule(mode, r"[0-9A-Za-z]+"))
        once = own.text("abcdefghijklmnop 8.8.4.4")
        assert once == own.text(once)
        assert "unstable" not in once


def test_a_mark_that_a_sender_forged_hides_nothing():
    assert room(rule(Mode.MASK, "secret=.*")).text("secret=[REDACTED:x] C-1") == "[REDACTED:own]"


def test_rules_change_the_hash_and_their_order_does_too():
    one, two = rule(Mode.MASK), rule(Mode.HMAC, name="two")
    hashes = {room(*rules).rules_hash for rules in ((), (one,), (two,), (one, two), (two, one))}
    assert len(hashes) == 5


OWN = st.builds(
    rule,
    st.sampled_from(Mode),
    st.sampled_from([NUMBER, "[a-z]{3,}", r"\b[0-9]{3}", "e.", "@", "[^ ]+"]),
)


@given(OWN, MIXED)
def test_text_scrubbed_twice_is_text_scrubbed_once(own, text):
    room_ = room(own)
    once = room_.text(text)
    assert once == room_.text(once)
    assert once == text or room_.may_produce(once)


@given(OWN, ATTRIBUTES)
def test_an_attribute_is_scrubbed_as_without_the_search(own, attribute):
    room_ = room(own)
    judged = room_._attributes.judged(attribute)
    once = room_.attribute(attribute)
    assert once == (judged.wire if judged.wire is not None or judged.hits else attribute)
    assert once is None or once == room_.attribute(once)


ESCAPED = [
    ('code="[a-z]+"', 'code="abc"'),
    (r"C\\D", r"C\D"),
    ("two\nlines", "two\nlines"),
    ('(?:code|key)="[^"]+"', 'key="a c"'),
]


@pytest.mark.parametrize(("pattern", "found"), ESCAPED)
def test_a_pattern_finds_what_json_writes_with_a_backslash(pattern, found):
    own = room(rule(Mode.MASK, pattern))
    document = orjson.dumps({"q": f"of {found}"}).decode()
    assert value_of(own.attribute(wire("note", document))) == '{"q":"of [REDACTED:own]"}'
    assert own.body(document) == '{"q":"of [REDACTED:own]"}'


@pytest.mark.parametrize("pattern", [NUMBER, r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", "plan-[^a-z ]+", r"a\$b"])
def test_a_pattern_without_a_boundary_looks_at_nothing_but_what_it_may_match(pattern):
    hints = hints_of([rule(Mode.MASK, pattern)])
    assert hints is not None
    assert hints.start(b"ordinary words 2026") == -1


@pytest.mark.parametrize(
    "pattern", [r"\bC", "^C", "C$", "(^|,)C", r"\[^C", r"\Q[\E^C", "a|^C", "(?m)C", "(?P<n>C)", r"C\z", r"[a]\B", "(?:^)C"]
)
def test_a_pattern_with_a_boundary_looks_at_everything(pattern):
    hints = hints_of([rule(Mode.MASK, pattern)])
    assert hints is not None
    assert hints.start(b"ordinary words 2026") == 0
