"""Walks a value: every string at any depth, key rules on nested keys, JSON documents inside strings.

Inside a value a dropped key is masked, not removed: whatever the rules changed carries a mark of it.
"""

from __future__ import annotations

import hashlib
import hmac

import orjson
import re2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.scrub import own
from agent.scrub.addresses import truncate
from agent.scrub.keys import NO_VERDICT, KeyRules, Verdict
from agent.scrub.own import OwnPattern
from agent.scrub.rules import Action
from agent.scrub.sql import scrub_sql
from agent.scrub.text import Hits, ValueRules, until_stable
from agent.scrub.urls import scrub_url
from agent.values import Json, text_of

JSON_BYTES = 64 * 1024
"""Longer documents get the value rules only."""
JSON_DEPTH = 32
"""Of a document, and of documents in strings of documents together; what is deeper is masked."""
JSON_LEAVES = 1000
"""Strings of one document that need a look; behind them they are masked."""

_HMAC = re2.compile("hmac:[0-9a-f]{24}")
MASKS = {
    Action.DROP: "[REDACTED:key]",
    Action.GENAI: "[REDACTED:genai]",
    Action.MASK: "[REDACTED:key]",
    Action.UNLISTED: "[REDACTED:unlisted]",
}
"""What stands in place of a value, whatever it was."""
_TOO_DEEP = "[REDACTED:depth]"
_CROWDED = "[REDACTED:crowded]"


def pseudonym(key: bytes, text: str) -> str:
    """The same token for the same text and key: linkable, not readable."""
    digest = hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).digest()
    return f"hmac:{digest[:12].hex()}"


class Tree:
    """The walk, with the rules that look at one place, and the HMAC key of one scrubber."""

    def __init__(self, keys: KeyRules, values: ValueRules, hmac_key: bytes) -> None:
        self._keys = keys
        self._values = values
        self._hmac_key = hmac_key
        self._patterns: dict[str, OwnPattern] = {}

    def pseudonym(self, text: str) -> str:
        """A text's token."""
        return pseudonym(self._hmac_key, text)

    def string(self, text: str, hits: Hits, *, by: Verdict = NO_VERDICT, listed: bool = False, depth: int = 0) -> str:
        """A string leaf until nothing changes: its key's rewrite, the JSON inside, the value rules."""

        def once(left: str) -> str:
            return self._values.once(self._json_text(self._rewritten(left, by, hits), hits, listed, depth), hits)

        return until_stable(text, once, hits)

    def _rewritten(self, text: str, by: Verdict, hits: Hits) -> str:
        """The part of a key's action that acts on strings."""
        if by.action is Action.KEEP:
            return text
        mode, cleaned = "replace", text
        if by.action is Action.URL:
            cleaned = scrub_url(text.encode("utf-8", "replace")).decode("utf-8", "replace")
        elif by.action is Action.SQL:
            cleaned = scrub_sql(text)
        elif by.action is Action.TRUNCATE:
            mode, cleaned = "truncate", truncate(text)
        elif by.action is Action.PATTERN and by.own is not None:
            return self._pattern(by).applied(text.encode("utf-8", "replace"), hits).decode("utf-8", "replace")
        if cleaned != text:
            hits.append((by.rule, mode if by.own is None else by.own.mode))
        return cleaned

    def _pattern(self, by: Verdict) -> OwnPattern:
        """The pattern of a rule that has keys as well."""
        known = self._patterns.get(by.rule)
        if known is None and by.own is not None:
            known = self._patterns[by.rule] = OwnPattern.of(by.own, self.pseudonym)
        return known  # type: ignore[return-value] # a verdict with a pattern has a rule

    def _replacement(self, by: Verdict, text: str, hits: Hits) -> str | None:
        """The whole value's substitute when the key asks for one."""
        if by.own is not None:
            return self._own_replacement(by, text, hits)
        if by.action in MASKS:
            token = MASKS[by.action]
            if text != token:
                hits.append((by.rule, "mask"))
            return token
        if by.action is not Action.HMAC:
            return None
        if not text or _HMAC.fullmatch(text) or text == _TOO_DEEP:
            return text
        hits.append((by.rule, "hmac"))
        return self.pseudonym(text)

    def _own_replacement(self, by: Verdict, text: str, hits: Hits) -> str | None:
        if by.own is None or by.action in (Action.PATTERN, Action.TRUNCATE):
            return None
        whole = own.replacement(by.own, text, self.pseudonym) if text else text
        if whole != text:
            hits.append((by.rule, by.own.mode))
        return whole

    def value(self, value: AnyValue, by: Verdict, hits: Hits, *, listed: bool) -> None:
        """Scrub a value in place."""
        whole = None if by.action is Action.KEEP else self._replacement(by, text_of(value), hits)
        if whole is not None:
            value.string_value = whole
            return
        kind = value.WhichOneof("value")
        if kind == "string_value":
            value.string_value = self.string(value.string_value, hits, by=by, listed=listed)
        elif kind == "bytes_value":
            self._bytes(value, by, hits, listed)
        elif kind == "array_value":
            for element in value.array_value.values:
                self.value(element, by, hits, listed=listed)
        elif kind == "kvlist_value":
            for pair in value.kvlist_value.values:
                self._nested(pair, hits, listed)

    def _bytes(self, value: AnyValue, by: Verdict, hits: Hits, listed: bool) -> None:
        try:
            text = value.bytes_value.decode()
        except UnicodeDecodeError:
            return
        value.bytes_value = self.string(text, hits, by=by, listed=listed).encode("utf-8", "replace")

    def _nested(self, pair: KeyValue, hits: Hits, listed: bool) -> None:
        verdict = self._keys.verdict(pair.key, listed=listed)
        hits.extend(verdict.hits)
        listed = listed or self._keys.allows(pair.key)
        self.value(pair.value, verdict, hits, listed=listed)
        pair.key = verdict.key

    def _json_text(self, text: str, hits: Hits, listed: bool, depth: int) -> str:
        if text.lstrip()[:1] not in ("{", "[") or len(text) > JSON_BYTES:
            return text
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        leaves = [JSON_LEAVES]
        cleaned = self._json(document, hits, listed, depth + 1, leaves)
        return text if cleaned == document else orjson.dumps(cleaned).decode()

    def _json(self, document: Json, hits: Hits, listed: bool, depth: int, leaves: list[int]) -> Json:
        if isinstance(document, str):
            return self._leaf(document, hits, NO_VERDICT, (listed, depth), leaves)
        if not isinstance(document, dict | list):
            return document
        if depth > JSON_DEPTH:
            hits.append(("depth", "mask"))
            return _TOO_DEEP
        if isinstance(document, list):
            return [self._json(element, hits, listed, depth + 1, leaves) for element in document]
        return dict(self._pair(key, content, hits, (listed, depth), leaves) for key, content in document.items())

    def _leaf(self, text: str, hits: Hits, by: Verdict, at: tuple[bool, int], leaves: list[int]) -> str:
        """A string of a document; ``at`` is whether it is listed and how deep it stands."""
        if by.action is Action.KEEP and text[:1] not in ("{", "[", " ") and not self._values.suspicious(text):
            return text
        leaves[0] -= 1
        if leaves[0] < 0:
            hits.append(("crowded", "mask"))
            return _CROWDED
        return self.string(text, hits, by=by, listed=at[0], depth=at[1])

    def _pair(self, key: str, content: Json, hits: Hits, at: tuple[bool, int], leaves: list[int]) -> tuple[str, Json]:
        listed, depth = at
        verdict = self._keys.verdict(key, listed=listed)
        hits.extend(verdict.hits)
        if verdict.action is not Action.KEEP:
            text = content if isinstance(content, str) else orjson.dumps(content).decode()
            whole = self._replacement(verdict, text, hits)
            if whole is not None:
                return verdict.key, whole
            if isinstance(content, str):
                return verdict.key, self._leaf(content, hits, verdict, at, leaves)
        return verdict.key, self._json(content, hits, listed or self._keys.allows(key), depth + 1, leaves)
