"""Key rules: what a key says about its value. An exact key beats a word sequence; ``allow_keys`` beats both."""

from __future__ import annotations

from dataclasses import dataclass

from agent.scrub.characters import normalised
from agent.scrub.rules import (
    DROPPED_NAMES,
    EXACT_KEYS,
    MASKED_COMPOUNDS,
    MASKED_PHRASES,
    NOT_A_TOKEN,
    PREFIX_KEYS,
    Action,
    Mode,
    OwnRule,
    ScrubSettings,
)
from agent.scrub.text import Hits, ValueRules

_BY_FIRST: dict[str, list[tuple[str, ...]]] = {}
for _phrase in MASKED_PHRASES:
    _BY_FIRST.setdefault(_phrase[0], []).append(_phrase)
_AS_ONE = MASKED_COMPOUNDS | {"".join(phrase) for phrase in MASKED_PHRASES}


def words(key: str) -> list[str]:
    """The words of a key in lower case: split where it is not alphanumeric, and at the humps of camelCase."""
    spaced: list[str] = []
    for index, character in enumerate(key):
        if not character.isalnum():
            spaced.append(" ")
            continue
        before, after = key[index - 1 : index], key[index + 1 : index + 2]
        if character.isupper() and (before.islower() or before.isdigit() or (before.isupper() and after.islower())):
            spaced.append(" ")
        spaced.append(character.lower())
    return "".join(spaced).split()


def _stem(word: str) -> str:
    word = word.rstrip("0123456789") or word
    return word[:-1] if word.endswith("s") and word != "tokens" else word


def _names_secret(key: str) -> bool:
    stems = [_stem(word) for word in words(key)]
    for index, stem in enumerate(stems):
        if stem == "token" and index + 1 < len(stems) and stems[index + 1] in NOT_A_TOKEN:
            continue
        if stem in _AS_ONE:
            return True
        if any(tuple(stems[index : index + len(phrase)]) == phrase for phrase in _BY_FIRST.get(stem, ())):
            return True
    return False


def _dropped_name(key: str) -> bool:
    for (start, mark), names in DROPPED_NAMES.items():
        if key.startswith(start) and key.rpartition(mark)[2].replace("_", "-") in names and mark in key:
            return True
    return False


def action_of(key: str) -> Action:
    """The default rules' answer for a key, read as a person would see it."""
    seen = normalised(key).lower()
    exact = EXACT_KEYS.get(seen)
    if exact is not None:
        return exact
    for prefix, action in PREFIX_KEYS.items():
        if seen.startswith(prefix):
            return action
    if _dropped_name(seen):
        return Action.DROP
    return Action.MASK if _names_secret(normalised(key)) else Action.KEEP


_OWN_ACTIONS = {
    Mode.DROP: Action.DROP,
    Mode.MASK: Action.MASK,
    Mode.PARTIAL: Action.PARTIAL,
    Mode.HMAC: Action.HMAC,
    Mode.TRUNCATE_IP: Action.TRUNCATE,
}
_RULE_NAMES = {
    Action.GENAI: "genai",
    Action.UNLISTED: "unlisted",
    Action.HMAC: "identity",
    Action.TRUNCATE: "address",
    Action.URL: "url",
    Action.SQL: "sql",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What leaves as the key, what becomes of its value, and which rules fired on the key's own text.

    ``rule`` is the name under which a hit on the value counts; ``own`` the configuration's rule that decided, if one did.
    """

    key: str
    action: Action
    hits: tuple[tuple[str, str], ...] = ()
    rule: str = "key"
    own: OwnRule | None = None


NO_VERDICT = Verdict("", Action.KEEP)
"""On a value that has no key."""


class KeyRules:
    """The key rules of one profile and of the configuration, with a memo: a node has a few hundred distinct keys."""

    MEMO = 4096
    MEMO_KEY = 256

    def __init__(self, settings: ScrubSettings, values: ValueRules | None = None) -> None:
        self._allowed = settings.allow_keys
        self._strict = settings.profile == "strict"
        self._own = tuple(rule for rule in settings.rules if rule.keys)
        self._values = values or ValueRules()
        self._memo: dict[tuple[str, bool], Verdict] = {}

    def verdict(self, key: str, *, listed: bool) -> Verdict:
        """The verdict on a key; ``listed`` says that it stands inside the value of an allowed key."""
        memo = self._memo
        known = memo.get((key, listed))
        if known is None:
            known = self._judge(key, listed)
            if len(key) <= self.MEMO_KEY:
                if len(memo) >= self.MEMO:
                    memo.clear()
                memo[(key, listed)] = known
        return known

    def allows(self, key: str) -> bool:
        """Whether ``allow_keys`` names it."""
        return key in self._allowed

    def cleaned(self, key: str, hits: Hits) -> str:
        """The text of a key without its value: the value rules, unless the key is allowed."""
        return key if self.allows(key) else self._values.scrubbed(key, hits)

    def _judge(self, key: str, listed: bool) -> Verdict:
        if key in self._allowed:
            return Verdict(key, Action.KEEP)
        hits: Hits = []
        cleaned = self._values.scrubbed(key, hits)
        seen = normalised(key).lower()
        own = next((rule for rule in self._own if rule.names(seen)), None)
        if own is not None:
            action = Action.PATTERN if own.pattern else _OWN_ACTIONS[own.mode]
            return Verdict(cleaned, action, tuple(hits), own.name, own)
        if self._strict and not listed:
            return Verdict(cleaned, Action.UNLISTED, tuple(hits), "unlisted")
        action = action_of(key)
        if action is Action.KEEP and cleaned != key:
            action = action_of(cleaned)  # else a second scrub could find what the first did not
        return Verdict(cleaned, action, tuple(hits), _RULE_NAMES.get(action, "key"))
