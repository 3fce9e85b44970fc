"""The laws of the room's door: idempotent, identical when clean, counted, and never more than may_produce admits."""

import threading

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.scrub import attributes as room_of_attributes
from agent.scrub import scrubber as door
from agent.scrub.attributes import CLEAN
from agent.scrub.keys import KeyRules
from agent.scrub.rules import EXACT_KEYS, ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.values import any_value_json, text_of
from agent.wires import WireLists
from tests.agent.scrub.planted import SECRET, pair, wire
from tests.agent.scrub.test_text import MIXED

DEFAULT = Scrubber(ScrubSettings(), b"k")
STRICT = Scrubber(ScrubSettings("strict", frozenset({"note", SECRET})), b"k")
ROOMS = st.sampled_from([DEFAULT, STRICT])
KEYS = st.one_of(
    st.sampled_from(
        [*EXACT_KEYS, "note", "password", "http.request.header.x-csrf-token", SECRET, "a token b", "[REDACTED:card]"]
    ),
    MIXED,
)
SCALARS = st.one_of(
    MIXED, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=8), MIXED.map(str.encode)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=5
)
ATTRIBUTES = st.builds(wire, KEYS, VALUES)


@given(ROOMS, MIXED)
def test_text_scrubbed_twice_is_text_scrubbed_once(room, text):
    once = room.text(text)
    assert once == room.text(once)


@given(ROOMS, ATTRIBUTES)
def test_an_attribute_scrubbed_twice_is_scrubbed_once(room, attribute):
    once = room.attribute(attribute)
    if once is not None:
        assert once is room.attribute(once)


@given(ROOMS, MIXED)
def test_a_text_that_the_rules_made_may_be_produced(room, text):
    cleaned = room.text(text)
    assert cleaned == text or room.may_produce(cleaned)


@given(ROOMS, ATTRIBUTES)
def test_a_value_or_key_that_the_rules_made_may_be_produced(room, attribute):
    raw, left = KeyValue.FromString(attribute), room.attribute(attribute)
    if left is not None:
        cleaned = KeyValue.FromString(left)
        assert raw.key == cleaned.key or room.may_produce(cleaned.key)
        same = any_value_json(raw.value) == any_value_json(cleaned.value)
        assert same or room.may_produce(text_of(cleaned.value))


@given(st.lists(ATTRIBUTES, max_size=6))
def test_many_are_scrubbed_as_one_by_one_and_as_without_a_memo(attributes):
    fresh = Scrubber(ScrubSettings(), b"k")
    expected = [left for attribute in attributes if (left := DEFAULT.attribute(attribute)) is not None]
    assert expected == fresh.attributes(attributes)
    assert expected == fresh.attributes(attributes)
    judged = [fresh._attributes.judged(attribute) for attribute in attributes]
    assert expected == [
        attribute if answer is CLEAN else answer.wire
        for attribute, answer in zip(attributes, judged, strict=True)
        if answer.wire is not None or answer is CLEAN
    ]


@given(st.lists(st.lists(ATTRIBUTES, max_size=3), max_size=4))
def test_many_rows_are_scrubbed_as_one_by_one(rows):
    assert [DEFAULT.attributes(row) for row in rows] == list(DEFAULT.attribute_lists(WireLists.of(rows)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("db.password", 5, "[REDACTED:key]"),
        ("note", SECRET, "[REDACTED:email]"),
        ("client.address", "8.8.4.4", "8.8.4.0"),
        ("url.query", "a=1&code=5", "a=1&code=REDACTED"),
        ("url.path", "/users/5", "/users/5"),
        ("db.statement", "select 'x'", "select ?"),
        ("note", "x" * 200, "x" * 200),
        ("note", "y" * 200 + SECRET, "[REDACTED:email]"),
        ("author", "Jane", "Jane"),
        ("k" * 200, "v", "v"),
    ],
)
def test_an_attribute_leaves_as_its_key_and_value_allow(key, value, expected):
    assert wire(key, expected) == DEFAULT.attribute(wire(key, value))


def test_a_dropped_attribute_is_none_and_a_clean_one_identical():
    assert DEFAULT.attribute(wire("http.request.header.cookie", "x")) is None
    assert DEFAULT.attribute(wire("gen_ai.prompt", "x")) is None
    for clean in (wire("session_duration", 5), wire("a", "b"), wire("ключ", "значение"), wire("", "")):
        assert clean is DEFAULT.attribute(clean)
        assert clean is DEFAULT.attribute(clean)
    several = [wire("gen_ai.usage.input_tokens", 7), wire("token.type", "input")]
    assert several is DEFAULT.attributes(several)


def test_hidden_bytes_of_an_attribute_do_not_leave():
    twice = KeyValue(value=AnyValue(string_value=SECRET)).SerializeToString() + wire("a", "b")
    unknown = wire("a", "b") + b"\xfa\x3e\x06secret"
    assert [wire("a", "b")] * 2 == DEFAULT.attributes([twice, unknown])


def test_an_unreadable_attribute_leaves_by_its_fixed_text():
    room = Scrubber(ScrubSettings("strict"), b"k")
    assert wire("", "[unreadable]") == room.attribute(b"\xffsecret") == room.attribute(b"\x0a\x02\xff\xfe")
    assert room.take_tally() == {("unreadable", "mask"): 2}
    assert room.may_produce("[unreadable]")


def test_hits_are_counted_again_when_remembered():
    room = Scrubber(ScrubSettings(), b"k")
    for _ in range(3):
        room.attributes([wire("note", SECRET), wire("user.id", "7"), wire("db.query.parameter.0", "x")])
        room.text(f"to {SECRET}")
    assert room.take_tally() == {("email", "mask"): 6, ("identity", "hmac"): 3, ("key", "drop"): 3}
    assert room.take_tally() == {}


def test_known_and_new_attributes_mix():
    room = Scrubber(ScrubSettings(), b"k")
    known = [wire("a", "b"), wire("note", SECRET)]
    room.attributes(known)
    assert [wire("c", 1), known[0], wire("note", "[REDACTED:email]")] == room.attributes([wire("c", 1), *known])
    long = wire("token", "x" * 600)
    assert [wire("d", 1), wire("token", "[REDACTED:key]")] == room.attributes([wire("d", 1), long])
    assert room._attributes._memo.get(long) is None


def test_memos_are_bounded(monkeypatch):
    monkeypatch.setattr(room_of_attributes, "MEMO_ENTRIES", 10)
    monkeypatch.setattr(door, "TEXTS", 10)
    room = Scrubber(ScrubSettings(), b"k")
    for number in range(50):
        room.attribute(wire("token", number))
        room.text(f"t{number}")
    for number in range(KeyRules.MEMO + 5):
        room.attribute(wire(f"token{number}", 1))
    room.attribute(wire("a", "x" * 600))
    room.text("x" * 600)
    assert len(room._attributes._memo) <= 20
    assert len(room._texts) <= 10
    assert len(room._attributes._heads) <= KeyRules.MEMO


def test_strict_lets_allowed_keys_through_and_value_rules_still_read_them():
    assert wire("note", "[REDACTED:email]") == STRICT.attribute(wire("note", SECRET))
    assert wire(SECRET, "v") == STRICT.attribute(wire(SECRET, "v"))
    assert wire("http.route", "[REDACTED:unlisted]") == STRICT.attribute(wire("http.route", "/x"))


def test_off_changes_nothing():
    off = Scrubber(ScrubSettings("off"), b"k")
    raw = wire("password", SECRET)
    assert raw is off.attribute(raw)
    assert SECRET is off.text(SECRET)
    assert not off.may_produce("[REDACTED:key]")


def test_entity_keys_that_are_allowed_stay():
    assert STRICT.key_text(SECRET) == SECRET


def test_the_hash_names_the_effective_rules():
    hashes = {
        Scrubber(ScrubSettings(profile, allowed), b"k").rules_hash
        for profile in ("default", "strict", "off")
        for allowed in (frozenset(), frozenset({"a"}))
    }
    assert len(hashes) == 6
    allowed = ScrubSettings("strict", frozenset({"a", "b", "c"}))
    assert Scrubber(allowed, b"1").rules_hash == Scrubber(allowed, b"2").rules_hash
    assert len(DEFAULT.rules_hash) == 64


def test_plain_text_is_not_a_product_of_scrubbing():
    for text in ("checkout", "GET /cart", "1.2.3", "10.0.0.1", '{"intValue":"500"}'):
        assert not DEFAULT.may_produce(text)


def test_threads_share_one_scrubber():
    room = Scrubber(ScrubSettings(), b"k")
    page = [wire(f"k{number % 7}", SECRET if number % 3 == 0 else number) for number in range(300)]
    expected = Scrubber(ScrubSettings(), b"k").attributes(page)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(room.attributes(page))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [expected] * 4 == answers
    assert room.take_tally() == {("email", "mask"): 400}


def test_pairs_keep_their_order():
    left = DEFAULT.attributes([wire("b", 1), wire("password", 2), wire("a", 3)])
    assert [KeyValue.FromString(x).key for x in left] == ["b", "password", "a"]
    assert pair("a", 3) == KeyValue.FromString(left[2])


DOCUMENTS = st.recursive(
    st.one_of(MIXED, st.integers(-(2**60), 2**60), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=5,
).map(lambda document: orjson.dumps(document).decode())


@given(st.one_of(MIXED, DOCUMENTS))
def test_a_text_without_a_hint_is_one_that_the_full_walk_leaves(text):
    assert DEFAULT._text_tree.string(text, []) == DEFAULT.text(text)
    assert DEFAULT._body_tree.string(text, []) == DEFAULT.body(text)
    judged = DEFAULT._attributes.judged(wire("x", text))
    assert DEFAULT.attribute(wire("x", text)) == (wire("x", text) if judged is CLEAN else judged.wire)
