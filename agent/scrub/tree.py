"""Walks a value: every string at any depth, key rules on nested keys, JSON documents inside strings.

Inside a value a dropped key is masked, not removed: whatever the rules changed carries a mark of it.
"""

from __future__ import annotations

import hashlib
import hmac

import orjson
import re2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.scrub.addresses import truncate
from agent.scrub.keys import KeyRules
from agent.scrub.rules import Action
from agent.scrub.sql import scrub_sql
from agent.scrub.text import Hits, scrub_once, until_stable
from agent.scrub.urls import scrub_url
from agent.values import Json, text_of

JSON_BYTES = 64 * 1024
"""Longer documents get the value rules only."""
JSON_DEPTH = 32
"""Of a document, and of documents in strings of documents together; what is deeper is masked."""

_HMAC = re2.compile("hmac:[0-9a-f]{24}")
_MASKS = {
    Action.DROP: ("key", "[REDACTED:key]"),
    Action.GENAI: ("genai", "[REDACTED:genai]"),
    Action.MASK: ("key", "[REDACTED:key]"),
    Action.UNLISTED: ("unlisted", "[REDACTED:unlisted]"),
}
_TOO_DEEP = "[REDACTED:depth]"


def _rewritten(text: str, action: Action, hits: Hits) -> str:
    """The part of a key's action that acts on strings."""
    if action is Action.URL:
        rule, mode, cleaned = "url", "replace", scrub_url(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    elif action is Action.SQL:
        rule, mode, cleaned = "sql", "replace", scrub_sql(text)
    elif action is Action.TRUNCATE:
        rule, mode, cleaned = "address", "truncate", truncate(text)
    else:
        return text
    if cleaned != text:
        hits.append((rule, mode))
    return cleaned


class Tree:
    """The walk, with the key rules and the HMAC key of one scrubber."""

    def __init__(self, keys: KeyRules, hmac_key: bytes) -> None:
        self._keys = keys
        self._hmac_key = hmac_key

    def pseudonym(self, text: str) -> str:
        """The same token for the same text and key: linkable, not readable."""
        digest = hmac.new(self._hmac_key, text.encode("utf-8", "replace"), hashlib.sha256).digest()
        return f"hmac:{digest[:12].hex()}"

    def string(self, text: str, hits: Hits, *, action: Action = Action.KEEP, listed: bool = False, depth: int = 0) -> str:
        """A string leaf until nothing changes: its key's rewrite, the JSON inside, the value rules."""

        def once(left: str) -> str:
            return scrub_once(self._json_text(_rewritten(left, action, hits), hits, listed, depth), hits)

        return until_stable(text, once, hits)

    def _replacement(self, action: Action, text: str, hits: Hits) -> str | None:
        """The whole value's substitute when the key asks for one."""
        if action in _MASKS:
            rule, token = _MASKS[action]
            if text != token:
                hits.append((rule, "mask"))
            return token
        if action is not Action.HMAC:
            return None
        if not text or _HMAC.fullmatch(text) or text == _TOO_DEEP:
            return text
        hits.append(("identity", "hmac"))
        return self.pseudonym(text)

    def value(self, value: AnyValue, action: Action, hits: Hits, *, listed: bool) -> None:
        """Scrub a value in place."""
        whole = None if action is Action.KEEP else self._replacement(action, text_of(value), hits)
        if whole is not None:
            value.string_value = whole
            return
        kind = value.WhichOneof("value")
        if kind == "string_value":
            value.string_value = self.string(value.string_value, hits, action=action, listed=listed)
        elif kind == "bytes_value":
            self._bytes(value, action, hits, listed)
        elif kind == "array_value":
            for element in value.array_value.values:
                self.value(element, action, hits, listed=listed)
        elif kind == "kvlist_value":
            for pair in value.kvlist_value.values:
                self._nested(pair, hits, listed)

    def _bytes(self, value: AnyValue, action: Action, hits: Hits, listed: bool) -> None:
        try:
            text = value.bytes_value.decode()
        except UnicodeDecodeError:
            return
        value.bytes_value = self.string(text, hits, action=action, listed=listed).encode("utf-8", "replace")

    def _nested(self, pair: KeyValue, hits: Hits, listed: bool) -> None:
        verdict = self._keys.verdict(pair.key, listed=listed)
        hits.extend(verdict.hits)
        listed = listed or self._keys.allows(pair.key)
        self.value(pair.value, verdict.action, hits, listed=listed)
        pair.key = verdict.key

    def _json_text(self, text: str, hits: Hits, listed: bool, depth: int) -> str:
        if text.lstrip()[:1] not in ("{", "[") or len(text) > JSON_BYTES:
            return text
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        cleaned = self._json(document, hits, listed, depth + 1)
        return text if cleaned == document else orjson.dumps(cleaned).decode()

    def _json(self, document: Json, hits: Hits, listed: bool, depth: int) -> Json:
        if isinstance(document, str):
            return self.string(document, hits, listed=listed, depth=depth)
        if not isinstance(document, dict | list):
            return document
        if depth > JSON_DEPTH:
            hits.append(("depth", "mask"))
            return _TOO_DEEP
        if isinstance(document, list):
            return [self._json(element, hits, listed, depth + 1) for element in document]
        return dict(self._pair(key, content, hits, listed, depth) for key, content in document.items())

    def _pair(self, key: str, content: Json, hits: Hits, listed: bool, depth: int) -> tuple[str, Json]:
        verdict = self._keys.verdict(key, listed=listed)
        hits.extend(verdict.hits)
        if verdict.action is not Action.KEEP:
            text = content if isinstance(content, str) else orjson.dumps(content).decode()
            whole = self._replacement(verdict.action, text, hits)
            if whole is not None:
                return verdict.key, whole
            if isinstance(content, str):
                return verdict.key, self.string(content, hits, action=verdict.action, listed=listed, depth=depth)
        return verdict.key, self._json(content, hits, listed or self._keys.allows(key), depth + 1)
