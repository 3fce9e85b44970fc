"""The default rules as data: which keys, which values, and what becomes of each. Sources: docs/privacy.md."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from agent.errors import ConfigError
from agent.scrub import checks, vendors

PROFILES = ("default", "strict", "off")


class Mode(enum.StrEnum):
    """What a rule of the configuration makes of what it hits."""

    DROP = "drop"
    MASK = "mask"
    PARTIAL = "partial"
    HMAC = "hmac"
    TRUNCATE_IP = "truncate_ip"


class Place(enum.StrEnum):
    """Where a string stands: in or under an attribute, in a log's body, or as a name, message, state, unit, version or URL."""

    ATTRIBUTES = "attributes"
    BODY = "body"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule of the configuration: a pattern over text, keys, or a pattern under keys. No signals or places: all of them.

    A key is compared in lower case; one that ends in ``*`` stands for all that begin so.
    """

    name: str
    mode: Mode
    pattern: str | None = None
    keys: tuple[str, ...] = ()
    signals: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()

    def reads(self, place: Place) -> bool:
        """Whether the rule looks there."""
        return not self.places or place in self.places

    def names(self, key: str) -> bool:
        """Whether the rule names this key, given in lower case."""
        return any(key.startswith(own[:-1]) if own.endswith("*") else key == own for own in self.keys)


@dataclass(frozen=True, slots=True)
class ScrubSettings:
    """Which profile, the keys that no key rule touches (value rules still read their values), the configuration's rules."""

    profile: str = "default"
    allow_keys: frozenset[str] = frozenset()
    rules: tuple[OwnRule, ...] = ()

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ConfigError(f"scrub.profile is {self.profile!r}; write one of {', '.join(PROFILES)}")


class Action(enum.Enum):
    """What a key says about its value. Value rules read what is left in every case."""

    KEEP = "keep"
    DROP = "drop"
    GENAI = "genai"
    MASK = "mask"
    UNLISTED = "unlisted"
    HMAC = "hmac"
    TRUNCATE = "truncate"
    URL = "url"
    SQL = "sql"
    PATTERN = "pattern"
    PARTIAL = "partial"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_GENAI = _listed(
    "input.messages output.messages system_instructions tool.call.arguments tool.call.result retrieval.query.text "
    "prompt completion"
)
_IDENTITIES = _listed(
    "enduser.id enduser.pseudo.id user.id user.name user.email user.full_name user.hash device.id session.id "
    "session.previous_id geo.location.lat geo.location.lon"
)
_ADDRESSES = _listed("client.address source.address network.peer.address net.peer.ip net.sock.peer.addr http.client_ip")
EXACT_KEYS: dict[str, Action] = {
    **dict.fromkeys(("http.request.body.content", "http.response.body.content", "messaging.message.body"), Action.DROP),
    **{f"gen_ai.{name}": Action.GENAI for name in _GENAI},
    **dict.fromkeys(_IDENTITIES, Action.HMAC),
    **dict.fromkeys(_ADDRESSES, Action.TRUNCATE),
    **dict.fromkeys(_listed("url.full url.original url.query http.url http.target url.path"), Action.URL),
    **dict.fromkeys(("db.query.text", "db.statement"), Action.SQL),
}
"""By lower-case key."""

PREFIX_KEYS: dict[str, Action] = {
    "db.query.parameter.": Action.DROP,
    "gen_ai.prompt.": Action.GENAI,  # instrumentations before messages: gen_ai.prompt.0.content
    "gen_ai.completion.": Action.GENAI,
}

REQUEST_HEADERS = frozenset(
    _listed(
        "authorization proxy-authorization cookie x-api-key x-amz-security-token x-auth-token x-csrf-token x-goog-api-key "
        "x-forwarded-authorization"
    )
)
DROPPED_NAMES: dict[tuple[str, str], frozenset[str]] = {
    ("http.request.header.", "http.request.header."): REQUEST_HEADERS,
    ("http.response.header.", "http.response.header."): frozenset(("set-cookie", "www-authenticate", "authentication-info")),
    ("rpc.", ".metadata."): frozenset(("authorization", "cookie")),
}
"""(a key starts with, the name follows) to names whose attribute is dropped; ``_`` in a name reads as ``-``."""

MASKED_PHRASES = tuple(
    tuple(phrase.split("_"))
    for phrase in _listed(
        "password pass_word passwd passphrase pwd secret client_secret token api_key access_key private_key account_key "
        "signing_key credential authorization auth_header session_id session_key session_token cookie csrf xsrf jwt ssn "
        "social_security credit_card card_number cvv cvc pin_code iban bank_account routing_number connection_string dsn"
    )
)
"""Sequences of words of a key; written as one word (``apikey``) or in the plural they count too."""

MASKED_COMPOUNDS = frozenset(_listed("accesstoken authtoken idtoken refreshtoken bearertoken sessiontoken"))
NOT_A_TOKEN = frozenset(_listed("type count limit length size usage budget bucket"))
"""What follows ``token`` in keys that measure tokens. The plural ``tokens`` is never a secret."""

URL_PARAMETERS = frozenset(
    _listed(
        "x-amz-signature x-amz-credential x-amz-security-token awsaccesskeyid x-goog-signature token access_token id_token "
        "refresh_token code state password passwd pwd api_key apikey key secret client_secret signature sig sas auth session "
        "sessionid jsessionid phpsessid"
    )
)
"""Lower-case names of query parameters whose value becomes REDACTED."""


@dataclass(frozen=True, slots=True)
class ValueRule:
    """One pattern over UTF-8 text. The first group that took part, else the whole match, is masked.

    ``hint`` matches wherever ``pattern`` does, in text and in JSON's escapes of it. It reads bytes as Latin-1, looks at no
    boundary and counts little, so that all hints together stay one small automaton: they make the one cheap search before
    all rules and choose the rules to run. ``check`` may move or refuse the span; after a refusal the search goes on behind
    the match, or, when candidates ``overlap``, one byte after its start (such candidates have a bounded length, so time
    stays linear).
    """

    name: str
    pattern: str
    hint: str
    check: Callable[[bytes, int, int], tuple[int, int] | None] = checks.always
    overlap: bool = False
    crowded: str = ""
    """What is masked unchecked where candidates are too many to be checked; else ``pattern``."""


_SENSITIVE_WORD = r"(?i:passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|private|account|signing|secret)[_ -]?key)"
_LOCAL = r"[\pL\pN\pM._%+'-]"
_DOMAIN = r"(?:[\pL\pN\pM-]+\.)+\pL[\pL\pM]+"
_COUNTRIES = "|".join(checks.IBAN_LENGTHS)

VALUE_RULES = (
    ValueRule(
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}-----|\z)",
        "-----BEGIN ",
    ),
    ValueRule(
        "jwt", r"\be[yw][\w-]{8,700}\.[\w-]{4}", r"e[yw][\w-]{8,}\.[\w-]{4}", checks.jwt, True, r"e[yw][\w-]{8,}\.[\w.-]{4,}"
    ),
    ValueRule("bearer", r"(?i:\bbearer)\s{1,8}([\w.~+/=-]{8,})", r"(?i:bearer)[\s\\]", checks.bearer),
    ValueRule(
        "authorization",
        r"""(?i:\bauthorization)["']?\s{0,3}[:=]\s{0,3}["']?(?i:(?:api-)?token\s{1,4})?([\w.~+/=@-]{8,})""",
        "(?i:authorization)",
        checks.bearer,
    ),
    ValueRule(
        "curl_user",
        r"""\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]{1,4}["']?[^\s"':<$]{0,64}:["']?([^\s"']{3,64})""",
        r"curl[^\n]*\s(?:-u|--user)[ =]",
        checks.password,
    ),
    ValueRule("basic", r"(?i:\bbasic)\s{1,8}([A-Za-z0-9+/=_-]{4,})", r"(?i:basic)[\s\\]", checks.basic),
    ValueRule("aws_access_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{4}"),
    ValueRule("github_token", r"\b(?:gh[pousr]_\w{36,255}|github_pat_\w{22,255})", r"gh[pousr]_\w{8}|github_pat_"),
    ValueRule("gitlab_token", r"\bglpat-[\w.-]{20,300}", "glpat-"),
    ValueRule("slack_token", r"\bxox[abeprs]-[\w-]{10,300}", "xox[abeprs]-"),
    ValueRule("stripe_key", r"\b[rs]k_(?:live|test|prod)_\w{10,300}", "k_(?:live|test|prod)_"),
    ValueRule("vendor_token", rf"\b(?:{'|'.join(vendors.TOKENS)})", "|".join(vendors.HINTS)),
    ValueRule("google_api_key", r"\bAIza[\w-]{35}", "AIza"),
    ValueRule("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b", "npm_[A-Za-z0-9]{8}"),
    ValueRule("pypi_token", r"\bpypi-AgEI[\w-]{20,900}", "pypi-AgEI"),
    ValueRule("azure_account_key", r"(?i:AccountKey=)([A-Za-z0-9+/=]{20,200})", "(?i:accountkey=)"),
    ValueRule(
        "aws_secret_key",
        r"(?i:aws|secret|access.?key)[^\n]{0,40}?[^\w/+]([A-Za-z0-9/+]{40})",
        r"(?i:aws|secret|access)[^\n]*[A-Za-z0-9/+]{40}",
        checks.aws_secret,
        overlap=True,
        crowded="[A-Za-z0-9/+]{40,}",
    ),
    ValueRule(
        "assignment",
        _SENSITIVE_WORD
        + r"""\\?["']?\s{0,3}[=:]\s{0,3}"""
        + r"""(?:\\?"([^"\\\n]{1,60})|\\?'([^'\\\n]{1,60})|([^\s"'\\&,;{}()\[\]]{1,60}))""",
        _SENSITIVE_WORD + r"""[\\"'\s]*[=:]""",
        checks.assigned,
        crowded=_SENSITIVE_WORD + r"""[\\"'\s]{0,6}[=:]\s*\S*""",
    ),
    ValueRule(
        "email",
        rf"""(?:{_LOCAL}+|"[^"\n]{{1,64}}")(?:@|%40){_DOMAIN}""",
        r"""["%'+.0-9A-Z_a-z\x80-\xf4-](?:@|%40)[0-9A-Za-z\x80-\xf4.-]+\.[A-Za-z\xc2-\xf4]""",
        checks.email,
        crowded=r"\S+(?:@|%40)\S+",
    ),
    ValueRule(
        "card", r"[0-9](?:[ -]?[0-9]){12,}", r"[0-9](?:[ -]?[0-9]){12}", checks.card, crowded=r"\b[2-6](?:[ -]?[0-9]){12,}"
    ),
    ValueRule("ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", checks.ssn, overlap=True),
    ValueRule(
        "iban",
        rf"\b(?:{_COUNTRIES})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11,30}}",
        rf"(?:{_COUNTRIES})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{3}}",
        checks.iban,
        overlap=True,
    ),
    ValueRule("phone", r"\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}", r"\+[1-9][0-9 ().-]{7}", checks.phone),
)
"""In order: a longer secret before what may stand inside it."""
