"""Every leaf of a value is reached: nested keys, arrays, bytes, JSON in strings."""

from typing import Any

import orjson
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agent.scrub.keys import KeyRules, Verdict
from agent.scrub.rules import Action, ScrubSettings
from agent.scrub.text import ValueRules
from agent.scrub.tree import JSON_BYTES, JSON_LEAVES, Tree
from tests.agent.scrub.planted import SECRET, any_value

MASK = "[REDACTED:email]"


def tree(profile: str = "default", *allowed: str) -> Tree:
    return Tree(KeyRules(ScrubSettings(profile, frozenset(allowed))), ValueRules(), b"k")


def scrubbed(value: Any, action: Action = Action.KEEP, room: Tree | None = None) -> AnyValue:
    result = any_value(value)
    (room or tree()).value(result, Verdict("", action), [], listed=False)
    return result


CASES = [
    ([SECRET, [SECRET, 1]], [MASK, [MASK, 1]]),
    ({"a": {"b": {"c": SECRET}}}, {"a": {"b": {"c": MASK}}}),
    ({"password": [1, 2], SECRET: 1}, {"password": "[REDACTED:key]", MASK: 1}),
    ({"http.request.header.cookie": "x"}, {"http.request.header.cookie": "[REDACTED:key]"}),
    ({"gen_ai.prompt": "x"}, {"gen_ai.prompt": "[REDACTED:genai]"}),
    (SECRET.encode(), MASK.encode()),
    (b"\xff" + SECRET.encode(), b"\xff" + SECRET.encode()),
    (True, True),
    ('{"password":7,"a":"b"}', '{"password":"[REDACTED:key]","a":"b"}'),
    ('{"a":"bob\\u0040example.com"}', '{"a":"[REDACTED:email]"}'),
    ('[{"client.address":"8.8.4.4"}]', '[{"client.address":"8.8.4.0"}]'),
    ('{"a":"{\\"pwd\\":\\"x\\"}"}', '{"a":"{\\"pwd\\":\\"[REDACTED:key]\\"}"}'),
    ('{"n": 4111111111111111}', '{"n": [REDACTED:card]}'),
    ('{"url.full": ["https://u:p@h"]}', '{"url.full":["https://REDACTED:REDACTED@h"]}'),
    ('{"a": 1, "b": [true, null]}', '{"a": 1, "b": [true, null]}'),
    ("[INFO] started", "[INFO] started"),
]


@pytest.mark.parametrize(("value", "expected"), CASES)
def test_a_value_is_scrubbed_at_every_depth(value, expected):
    assert any_value(expected) == scrubbed(value)
    assert any_value(expected) == scrubbed(expected)


def test_a_rewrite_of_the_key_reaches_elements():
    assert any_value(["8.8.4.0", 5]) == scrubbed(["8.8.4.4", 5], Action.TRUNCATE)
    assert any_value("select ?") == scrubbed("select 'x'", Action.SQL)
    assert any_value(["?token=REDACTED"]) == scrubbed(["?token=1"], Action.URL)


def test_pseudonyms_link_equal_values_under_one_key_only():
    same = scrubbed("u-1", Action.HMAC)
    assert same == scrubbed("u-1", Action.HMAC)
    assert same != scrubbed("u-2", Action.HMAC)
    assert same != scrubbed("u-1", Action.HMAC, Tree(KeyRules(ScrubSettings()), ValueRules(), b"other"))
    assert same == scrubbed(same.string_value, Action.HMAC)
    assert any_value("") == scrubbed("", Action.HMAC)
    assert len(scrubbed(48.85, Action.HMAC).string_value) == 29


def test_a_json_document_that_is_too_deep_is_masked_there():
    text = "[" * 60 + '"x"' + "]" * 60
    assert "[REDACTED:depth]" in scrubbed(text).string_value


def test_a_json_document_that_is_too_long_gets_the_value_rules():
    text = orjson.dumps({"x": "y" * JSON_BYTES, "dsn": "z", "mail": SECRET}).decode()
    cleaned = scrubbed(text).string_value
    assert SECRET not in cleaned
    assert '"dsn":"z"' in cleaned


def test_a_json_document_with_too_many_suspicious_strings_loses_those_behind():
    text = orjson.dumps([f"b{n}@example.com" for n in range(JSON_LEAVES + 5)] + ["fine"]).decode()
    cleaned = orjson.loads(scrubbed(text).string_value)
    assert cleaned == [MASK] * JSON_LEAVES + ["[REDACTED:crowded]"] * 5 + ["fine"]


def test_strict_masks_unlisted_keys_and_reads_allowed_ones_by_the_default_rules():
    strict = tree("strict", "app.cart")
    value = {"app.cart": {"colour": "red", "password": "x"}, "colour": "red"}
    expected = {"app.cart": {"colour": "red", "password": "[REDACTED:key]"}, "colour": "[REDACTED:unlisted]"}
    assert any_value(expected) == scrubbed(value, room=strict)
    document = orjson.dumps(value).decode()
    assert expected == orjson.loads(scrubbed(document, room=strict).string_value)
