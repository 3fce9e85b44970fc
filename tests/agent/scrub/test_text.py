"""Every value rule finds what it is for and leaves what only looks like it."""

import unicodedata

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from agent.scrub.characters import INVISIBLE, ODD, is_plain, normalised
from agent.scrub.engine import LATIN1
from agent.scrub.rules import VALUE_RULES
from agent.scrub.text import Hits, ValueRules, until_stable

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

TRUE = [
    ("private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "[REDACTED:private_key]"),
    ("private_key", "cut -----BEGIN PRIVATE KEY-----\nMIIEow", "cut [REDACTED:private_key]"),
    ("jwt", f"got {JWT} back", "got [REDACTED:jwt] back"),
    ("jwt", f"eyJub3RKc29u.{JWT}", "eyJub3RKc29u.[REDACTED:jwt]"),
    ("bearer", "Authorization: Bearer mF_9.B5f-4.1JqM", "Authorization: Bearer [REDACTED:bearer]"),
    ("basic", "Basic dXNlcjpodW50ZXIy", "Basic [REDACTED:basic]"),
    ("aws_access_key", "id AKIAIOSFODNN7EXAMPLE.", "id [REDACTED:aws_access_key]."),
    ("aws_secret_key", "aws key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws key [REDACTED:aws_secret_key]"),
    ("github_token", "ghp_" + "a1B2" * 9, "[REDACTED:github_token]"),
    ("gitlab_token", "glpat-abcDEF1234567890_-xy", "[REDACTED:gitlab_token]"),
    ("slack_token", "xoxb-123456789012-abcdef", "[REDACTED:slack_token]"),
    ("stripe_key", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[REDACTED:stripe_key]"),
    ("google_api_key", "AIza" + "b" * 35, "[REDACTED:google_api_key]"),
    ("npm_token", "npm_" + "c" * 36, "[REDACTED:npm_token]"),
    ("pypi_token", "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "[REDACTED:pypi_token]"),
    ("vendor_token", "with key hf_" + "aB" * 17, "with key [REDACTED:vendor_token]"),
    ("authorization", "Authorization: Token 22cb987851bc", "Authorization: Token [REDACTED:authorization]"),
    ("curl_user", "curl -s -u ada:s3cret+1 http://h", "curl -s -u ada:[REDACTED:curl_user] http://h"),
    ("azure_account_key", "AccountKey=" + "q" * 40 + "==;X=1", "AccountKey=[REDACTED:azure_account_key];X=1"),
    ("assignment", "login password=hunter2 failed", "login password=[REDACTED:assignment] failed"),
    ("assignment", 'sent {"api_key": "abc def"}', 'sent {"api_key": "[REDACTED:assignment]"}'),
    ("assignment", "password: hunter2", "password: [REDACTED:assignment]"),
    ("email", "mail bob.o'hara+x@mail.example.co.uk now", "mail [REDACTED:email] now"),
    ("email", 'to "bob smith"@example.com', "to [REDACTED:email]"),
    ("email", "q=bob%40example.com", "q=[REDACTED:email]"),
    ("email", "bob＠example.com", "[REDACTED:email]"),
    ("email", "b\u00adob@exam\u200bple.com", "[REDACTED:email]"),
    ("email", "用户@例子.公司", "[REDACTED:email]"),
    ("card", "paid 4111 1111 1111 1111 ok", "paid [REDACTED:card] ok"),
    ("card", "4111-1111-1111-1111", "[REDACTED:card]"),
    ("card", "378282246310005", "[REDACTED:card]"),
    ("card", "2024 4111111111111111", "2024 [REDACTED:card]"),
    ("card", "card4111111111111111", "card[REDACTED:card]"),
    ("card", "４１１１１１１１１１１１１１１１", "[REDACTED:card]"),
    ("card", "4111\u00a01111\u00a01111\u00a01111", "[REDACTED:card]"),
    ("ssn", "ssn 536-90-4399.", "ssn [REDACTED:ssn]."),
    ("iban", "to DE89 3704 0044 0532 0130 00 AND MORE", "to [REDACTED:iban] AND MORE"),
    ("iban", "GB82WEST12345698765432", "[REDACTED:iban]"),
    ("iban", "DE00 DE89370400440532013000", "DE00 [REDACTED:iban]"),
    ("phone", "call +49 30 901820 now", "call [REDACTED:phone] now"),
    ("phone", "+14155552671", "[REDACTED:phone]"),
    ("url", "GET https://u:p@h/x?a=1&token=abc&b=2 200", "GET https://REDACTED:REDACTED@h/x?a=1&token=REDACTED&b=2 200"),
]

FALSE = [
    "",
    "the quick brown fox",
    "-----BEGIN PUBLIC KEY-----\nMIIB",
    "eyJub3RKc29u.abcd.efgh",
    "bearer authentication is required",
    "basic functionality of the basic tier",
    "AKIAIOSFODNN7EXAMPL",
    "Authorization: Bearer required",
    "curl -u $USER:$PASSWORD http://h",
    "curl/8.10.1",
    "secret commit 356a192b7913b04c54574d18c28d46e6395428ab",
    "password: required",
    "password=?",
    "token=$1 and secret=%s",
    "tokenizer=bert",
    "user@localhost",
    "logo@2x.png",
    "user@1000.service",
    "git@github.com:org/repo",
    "@opentelemetry/api@1.9.0",
    "4111 1111 1111 1112",
    "1700000000000",
    "1700000000000000000",
    "0.4111111111111111",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "a4111111111111111f",
    "550e8400-e29b-41d4-a716-446655440000",
    "000-12-3456 666-12-3456 900-12-3456 536-00-4399 536-90-0000",
    "1536-90-4399 536-90-43990",
    "2024-01-02T03:04:05+02:00",
    "DE89370400440532013001",
    "1.2.3+20240101",
    "+1000",
    "10.1.2.3:8080",
    "https://example.com/a?page=2#top",
    "https://host:443/@user",
    "SELECT a FROM b",
    "author: Jane",
    "naïve café",
]


RULES = ValueRules()


def scrub(text: str) -> tuple[str, Hits]:
    hits: Hits = []
    return RULES.scrubbed(text, hits), hits


@pytest.mark.parametrize(("rule", "text", "expected"), TRUE)
def test_a_secret_is_replaced_by_the_name_of_its_rule(rule, text, expected):
    cleaned, hits = scrub(text)
    assert expected == cleaned
    assert rule in {name for name, _ in hits}
    assert RULES.suspicious(text)


@pytest.mark.parametrize("text", FALSE)
def test_what_only_looks_like_a_secret_stays(text):
    assert (text, []) == scrub(text)


def test_every_rule_has_a_true_positive():
    assert {rule.name for rule in VALUE_RULES} <= {rule for rule, _, _ in TRUE}


@pytest.mark.parametrize("rule", VALUE_RULES, ids=lambda rule: rule.name)
def test_a_hint_matches_wherever_its_pattern_does(rule):
    pattern, hint = re2.compile(rule.pattern), re2.compile(rule.hint.encode(), LATIN1)
    re2.compile(rule.crowded)
    for _, text, _ in TRUE:
        if pattern.search(text):
            assert hint.search(text.encode())


@pytest.mark.parametrize("rule", VALUE_RULES, ids=lambda rule: rule.name)
def test_no_rule_matches_its_own_token(rule):
    token = f"[REDACTED:{rule.name}]"
    for text in (token, f"{token}{token}", f"password={token} x", f"Bearer {token}", f"a@{token}.com"):
        assert text == scrub(text)[0]


def test_invisible_characters_cover_category_cf():
    missing = [hex(point) for point in range(0x110000) if unicodedata.category(chr(point)) == "Cf" and point not in INVISIBLE]
    assert missing == []


def test_every_character_that_may_spell_ascii_is_odd():
    for point in (p for p in range(0x80, 0x110000) if not 0xD800 <= p < 0xE000):
        character = chr(point)
        folded = unicodedata.normalize("NFKC", character)
        if point in INVISIBLE or any("!" <= c <= "~" for c in folded + folded.lower() + character.lower()):
            assert any(first <= point <= last for first, last in ODD), hex(point)
    assert sorted(ODD) == ODD


@pytest.mark.parametrize(("first", "last"), ODD)
def test_an_odd_character_is_found_among_bytes(first, last):
    assert not any(is_plain(chr(point).encode()) for point in {first, (first + last) // 2, last})


def test_text_is_folded_without_growing_or_taking_the_square():
    assert normalised("ﬁ\u200b\ufdfa①") == "fi 1"
    assert normalised("e\u0301") == "e\u0301"
    assert len(normalised("\u00a0a" + "\u0301\u0327" * 50_000)) < 50
    assert len(normalised("\u00a0" + "\u3316" * 1000)) == 1001


def test_what_does_not_settle_leaves_as_a_fixed_text():
    hits: Hits = []
    assert until_stable("a", lambda text: text + "a", hits) == "[REDACTED:unstable]"
    assert hits == [("unstable", "mask")]
    assert scrub("[REDACTED:unstable]")[0] == "[REDACTED:unstable]"


SECRETS = st.sampled_from([text for _, text, _ in TRUE])
SIGNS = "eyJ.-@:/=+ 0123456789abDE[]{}?&#\"'\u200b"
PLAIN = st.one_of(st.text(max_size=20), st.sampled_from(FALSE), st.text(SIGNS, max_size=30))
MIXED = st.lists(st.one_of(SECRETS, PLAIN), max_size=5).map("".join)


@given(MIXED)
def test_scrubbing_twice_is_scrubbing_once(text):
    cleaned, _ = scrub(text)
    assert (cleaned, []) == scrub(cleaned)


@given(MIXED)
def test_what_is_not_suspect_does_not_change(text):
    if not RULES.suspicious(text):
        assert text == scrub(text)[0]


def test_a_long_text_is_seen_as_its_parts_are():
    part = "a\u200bb\ufdfac \u2034\u00a0\U0001f600 \ufe0fé４\n"
    assert normalised(part * 1000) == normalised(part) * 1000
