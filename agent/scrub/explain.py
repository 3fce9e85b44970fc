"""Which rule hits where in a request: every place of every message, found by its descriptor, with what would leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.scrub.scrubber import Scrubber
from agent.values import text_of

DROPPED = "(dropped)"
_LONGEST = 200
"""Characters of what leaves that are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where rules hit: its path in OTLP/JSON, the attribute's key if it is one, the rules, and what leaves."""

    path: str
    key: str
    rules: tuple[tuple[str, str], ...]
    leaves: str


def explained(request: Message, scrubber: Scrubber) -> Iterator[Finding]:
    """The findings in an OTLP request, in its order; nothing of what the rules take away is in them."""
    yield from _message(request, "", scrubber)


def _message(message: Message, path: str, scrubber: Scrubber) -> Iterator[Finding]:
    for field, content in message.ListFields():
        here = f"{path}.{field.json_name}" if path else field.json_name
        many = field.is_repeated
        for number, one in enumerate(content if many else [content]):
            yield from _part(field, one, f"{here}[{number}]" if many else here, scrubber)


def _part(field: FieldDescriptor, content: object, path: str, scrubber: Scrubber) -> Iterator[Finding]:
    if isinstance(content, KeyValue):
        yield from _attribute(content, path.rpartition("[")[0], scrubber)
    elif isinstance(content, AnyValue):
        yield from _body(content, path, scrubber)
    elif isinstance(content, Message):
        yield from _message(content, path, scrubber)
    elif isinstance(content, str):
        left = scrubber.key_text(content) if field.name.endswith("_keys") else scrubber.text(content)
        yield from _finding(path, "", scrubber, left, changed=left != content)


def _finding(path: str, key: str, scrubber: Scrubber, left: str, *, changed: bool) -> Iterator[Finding]:
    """What the scrubber has counted since the last one."""
    rules = scrubber.take_tally()
    if changed:
        yield Finding(path, key, tuple(sorted(rules)), _cut(left))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _attribute(pair: KeyValue, path: str, scrubber: Scrubber) -> Iterator[Finding]:
    cleaned = scrubber.attribute(pair.SerializeToString())
    if cleaned is None:
        key = scrubber.key_text(pair.key)
        yield from _finding(f'{path}["{key}"]', key, scrubber, DROPPED, changed=True)
        return
    left = KeyValue.FromString(cleaned)
    here = f'{path}["{left.key}"]'
    changes = list(_changes(pair.value, left.value, here, left.key))
    if left.key != pair.key and not changes:
        changes = [(here, left.key, text_of(left.value))]
    yield from _findings(changes, scrubber)


def _body(value: AnyValue, path: str, scrubber: Scrubber) -> Iterator[Finding]:
    left = AnyValue.FromString(scrubber.value(value.SerializeToString()))
    yield from _findings(list(_changes(value, left, path, "")), scrubber)


def _findings(changes: Sequence[tuple[str, str, str]], scrubber: Scrubber) -> Iterator[Finding]:
    """A finding for each part of a value, with those rules whose mark it bears; with all when it bears none."""
    rules = sorted(scrubber.take_tally())
    for path, key, text in changes:
        own = tuple(rule for rule in rules if _bears(text + path, *rule))
        yield Finding(path, key, own or tuple(rules), _cut(text))


def _bears(text: str, rule: str, mode: str) -> bool:
    return f"[REDACTED:{rule}" in text or (mode == "hmac" and "hmac:" in text)


def _changes(raw: AnyValue, left: AnyValue, path: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Where two values differ, as deep as they are alike: the path, the key there, and what stands there afterwards."""
    if raw.HasField("array_value") and left.HasField("array_value"):
        for number, pair in enumerate(zip(raw.array_value.values, left.array_value.values, strict=True)):
            yield from _changes(*pair, f"{path}[{number}]", key)
    elif raw.HasField("kvlist_value") and left.HasField("kvlist_value"):
        for old, new in zip(raw.kvlist_value.values, left.kvlist_value.values, strict=True):
            here = f'{path}["{new.key}"]'
            if old.key != new.key and old.value == new.value:
                yield here, new.key, text_of(new.value)
            yield from _changes(old.value, new.value, here, new.key)
    elif raw != left:
        yield path, key, text_of(left)
