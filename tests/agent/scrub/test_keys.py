"""Key rules by word, not by substring; an exact key first; allow_keys before all."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from opentelemetry import semconv

from agent.scrub.keys import KeyRules, action_of, words
from agent.scrub.rules import Action, ScrubSettings


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("http.request.header.x-api-key", ["http", "request", "header", "x", "api", "key"]),
        ("userPasswordHash", ["user", "password", "hash"]),
        ("APIKeyID", ["api", "key", "id"]),
        ("a2B/c:d__e", ["a2", "b", "c", "d", "e"]),
        ("", []),
    ],
)
def test_words_split_at_signs_and_humps(key, expected):
    assert expected == words(key)


CASES = {
    Action.DROP: "http.request.header.authorization HTTP.Request.Header.Cookie http.request.header.x_api_key "
    "http.response.header.set-cookie rpc.grpc.request.metadata.authorization rpc.request.metadata.cookie "
    "http.request.body.content db.query.parameter.0 messaging.message.body",
    Action.GENAI: "gen_ai.input.messages gen_ai.prompt gen_ai.prompt.0.content gen_ai.tool.call.result",
    Action.MASK: "password db.password user_passwd clientSecret token auth.token accessToken apikey API-Key "
    "aws.private_key credentials http.request.header.x-custom-authorization auth_header sessionToken app.session_id cookie "
    "csrf_token x-xsrf jwt ssn social.security creditCard card_number cvv pin_code iban bank.account connectionString dsn "
    "password2 p\u200bassword ｐassword",
    Action.HMAC: "enduser.id user.id user.email session.id device.id geo.location.lat",
    Action.TRUNCATE: "client.address http.client_ip",
    Action.URL: "url.full http.target",
    Action.SQL: "db.query.text db.statement",
    Action.KEEP: "author session_duration token.type gen_ai.token.type gen_ai.usage.input_tokens max_tokens "
    "access_tokens llm.token.count "
    "http.route secretary tokenizer pinned discard cardinality geo.country.iso_code http.request.header.accept "
    "rpc.system rpc.metadata user_agent.original key monkey passwordless",
}


@pytest.mark.parametrize(("action", "key"), [(action, key) for action, keys in CASES.items() for key in keys.split()])
def test_a_key_says_what_becomes_of_its_value(action, key):
    assert action is action_of(key)


def registry() -> Iterator[str]:
    root = Path(semconv.__path__[0])
    for path in root.rglob("*_attributes.py"):
        module = ".".join(("opentelemetry", "semconv", *path.relative_to(root).with_suffix("").parts))
        yield from (value for name, value in vars(import_module(module)).items() if name.isupper() and isinstance(value, str))


MASKED_BY_CONVENTION = {"aws.secretsmanager.secret.arn", "db.connection_string", "mcp.session.id"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_attribute_of_the_conventions_is_masked_by_its_words():
    keys = set(registry())
    assert len(keys) > 400
    assert {key for key in keys if action_of(key) is Action.MASK} == MASKED_BY_CONVENTION


def test_an_allowed_key_is_kept_as_it_is():
    rules = KeyRules(ScrubSettings("strict", frozenset({"db.password", "bob@example.com"})))
    assert Action.KEEP is rules.verdict("db.password", listed=False).action
    assert rules.verdict("bob@example.com", listed=False).key == "bob@example.com"
    assert Action.UNLISTED is rules.verdict("http.route", listed=False).action
    assert Action.KEEP is rules.verdict("http.route", listed=True).action


def test_the_text_of_a_key_is_scrubbed():
    verdict = KeyRules(ScrubSettings()).verdict("cart of bob@example.com", listed=False)
    assert (verdict.key, verdict.hits) == ("cart of [REDACTED:email]", (("email", "mask"),))


def test_the_memo_is_bounded():
    rules = KeyRules(ScrubSettings())
    for number in range(KeyRules.MEMO + 10):
        rules.verdict(f"key.{number}", listed=False)
    assert len(rules._memo) <= KeyRules.MEMO
    rules.verdict("k" * 300, listed=False)
    assert ("k" * 300, False) not in rules._memo
