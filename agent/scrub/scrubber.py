"""The scrub room's door: one attribute, one string or one message in, the same without personal data out.

Law: scrubbing what is scrubbed changes nothing, and whatever the rules changed carries a mark that ``may_produce`` knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import orjson
import re2
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.scrub import messages, rules
from agent.scrub.keys import KeyRules
from agent.scrub.messages import Leaves
from agent.scrub.rules import Action, ScrubSettings
from agent.scrub.tally import Tally
from agent.scrub.text import Hits, scrub_text, suspects
from agent.scrub.tree import Tree
from agent.scrub.urls import may_change
from agent.scrub.wire import is_key_head, string_start
from agent.values import UNREADABLE, key_value

REVISION = 1
"""Of what the rules do beyond their data (checks, URL, SQL and address rules): part of the hash."""

MEMO_ENTRIES = 32768
MEMO_BYTES = 512
"""A page of 1,000 spans has about 12,000 distinct attributes at most; longer ones are rare. Together at most 16 MiB."""

_MARKS = re2.compile(r'REDACTED|hmac:|\?|::|[0-9]\.[0-9]+\.[0-9]+\.0(?:[^0-9]|\z)|\[unreadable\]|"bytesValue"')

_UNREADABLE = key_value(messages.NO_MESSAGE)
_UNREADABLE_WIRE = _UNREADABLE.SerializeToString()

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """What leaves in place of the input (None: nothing), and which rules fired."""

    wire: bytes | None
    hits: tuple[tuple[str, str], ...]


_CLEAN = _Answer(None, ())
"""By identity: the input leaves as it is."""


def _rules_hash(settings: ScrubSettings) -> str:
    described = [
        REVISION,
        settings.profile,
        sorted(settings.allow_keys),
        sorted((key, action.value) for key, action in (rules.EXACT_KEYS | rules.PREFIX_KEYS).items()),
        sorted((*place, *sorted(names)) for place, names in rules.DROPPED_NAMES.items()),
        [rules.MASKED_PHRASES, *map(sorted, (rules.MASKED_COMPOUNDS, rules.NOT_A_TOKEN, rules.URL_PARAMETERS))],
        [(rule.name, rule.pattern, rule.check.__name__, rule.overlap) for rule in rules.VALUE_RULES],
    ]
    return hashlib.sha256(orjson.dumps(described)).hexdigest()


def _is_readable(wire: bytes) -> bool:
    try:
        KeyValue.FromString(wire)
    except DecodeError:
        return False
    return True


def _readable(wire: bytes) -> bytes:
    """Bytes that parse: one attribute that does not would make a whole page of OTLP unreadable."""
    return wire if _is_readable(wire) else key_value(wire).SerializeToString()


class Scrubber:
    """Everything that leaves the agent goes through one of these; safe to share between threads."""

    def __init__(self, settings: ScrubSettings, hmac_key: bytes) -> None:
        self._off = settings.profile == "off"
        self._keys = KeyRules(settings)
        self._tree = Tree(self._keys, hmac_key)
        self._tally = Tally()
        self._memo: dict[bytes, _Answer] = {}
        self._texts: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}
        self._key_actions: dict[bytes, Action | None] = {}
        self.rules_hash = _rules_hash(settings)

    @property
    def is_off(self) -> bool:
        """Whether everything leaves as it came."""
        return self._off

    def attribute(self, wire: bytes) -> bytes | None:
        """One wire-encoded KeyValue scrubbed; None when dropped; the identical object when nothing changes."""
        left = self.attributes([wire])
        return left[0] if left else None

    def attributes(self, wires: list[bytes]) -> list[bytes]:
        """Attributes without those dropped; the identical list when nothing changes."""
        if self._off or not wires:
            return wires if all(map(_is_readable, wires)) else [_readable(wire) for wire in wires]
        answers = list(map(self._memo.get, wires))
        if answers.count(None) == len(answers):
            answers = [*self._answers(wires)]
        elif None in answers:
            missing = [wire for wire, answer in zip(wires, answers, strict=True) if answer is None]
            fresh = iter(self._answers(missing))
            answers = [next(fresh) if answer is None else answer for answer in answers]
        if answers.count(_CLEAN) == len(answers):
            return wires
        return self._settled(wires, answers)

    def _settled(self, wires: list[bytes], answers: list[_Answer | None]) -> list[bytes]:
        hits: Hits = []
        left: list[bytes] = []
        for wire, answer in zip(wires, answers, strict=True):
            if answer is None or answer is _CLEAN:
                left.append(wire)
                continue
            hits.extend(answer.hits)
            if answer.wire is not None:
                left.append(answer.wire)
        if hits:
            self._tally.add(hits)
        return left

    def _answers(self, wires: list[bytes]) -> list[_Answer]:
        """Answers in order for attributes that the memo does not know."""
        answers = [_CLEAN] * len(wires)
        places: list[int] = []
        strings: list[bytes] = []
        actions, keep = self._key_actions, Action.KEEP
        for place, attribute in enumerate(wires):
            at = attribute[1] + 2 if len(attribute) > 1 else 0
            head = attribute[:at]
            action = actions.get(head) or self._key_action(head)
            start = string_start(attribute, at)
            if start < 0 or not (action is keep or (action is Action.URL and not may_change(attribute[start:]))):
                answers[place] = self._judged(attribute)
            elif start < len(attribute):
                places.append(place)
                strings.append(attribute[start:])
        for index in suspects(strings) if strings else ():
            answers[places[index]] = self._judged(wires[places[index]])
        self._remember(wires, answers)
        return answers

    def _remember(self, wires: list[bytes], answers: list[_Answer]) -> None:
        memo = self._memo
        if len(memo) + len(wires) > MEMO_ENTRIES:
            memo.clear()
        memo.update(zip(wires, answers, strict=True))
        if max(map(len, wires), default=0) > MEMO_BYTES:
            for wire in wires:
                if len(wire) > MEMO_BYTES:
                    memo.pop(wire, None)

    def _key_action(self, head: bytes) -> Action:
        """The action of a key field whose text leaves as it is; MASK, which asks for the full walk, for any other."""
        action = Action.MASK
        if is_key_head(head) and head.isascii():
            key = head[2:].decode()
            verdict = self._keys.verdict(key, listed=False)
            action = verdict.action if verdict.key == key else Action.MASK
        if len(self._key_actions) >= KeyRules.MEMO:
            self._key_actions.clear()
        self._key_actions[head] = action
        return action

    def _judged(self, wire: bytes) -> _Answer:
        """The full walk over one attribute."""
        pair = key_value(wire)
        if pair == _UNREADABLE:
            return _Answer(_UNREADABLE_WIRE, (("unreadable", "mask"),))
        hits: Hits = []
        pair.DiscardUnknownFields()
        verdict = self._keys.verdict(pair.key, listed=False)
        if verdict.action in (Action.DROP, Action.GENAI):
            rule = "genai" if verdict.action is Action.GENAI else "key"
            return _Answer(None, ((rule, "drop"),))
        hits.extend(verdict.hits)
        self._tree.value(pair.value, verdict.action, hits, listed=self._keys.allows(pair.key))
        pair.key = verdict.key
        cleaned = pair.SerializeToString()
        return _CLEAN if cleaned == wire else _Answer(cleaned, tuple(hits))

    def text(self, value: str) -> str:
        """The value rules on a bare string: a name, a message, a body, a version, a state, a schema URL."""
        if self._off or not value:
            return value
        known = self._texts.get(value)
        if known is None:
            known = self._text(value)
            if len(value) <= MEMO_BYTES:
                if len(self._texts) >= MEMO_ENTRIES:
                    self._texts.clear()
                self._texts[value] = known
        if known[1]:
            self._tally.add(known[1])
        return known[0]

    def _text(self, value: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        if not suspects([value.encode("utf-8", "replace")]):
            return value, ()
        hits: Hits = []
        return self._tree.string(value, hits), tuple(hits)

    def _key_text(self, key: str) -> str:
        """A key without a value: the value rules, unless the key is allowed."""
        if self._keys.allows(key):
            return key
        hits: Hits = []
        cleaned = scrub_text(key, hits)
        self._tally.add(hits)
        return cleaned

    def _pairs(self, pairs: Iterable[KeyValue]) -> list[KeyValue]:
        return [KeyValue.FromString(left) for left in self.attributes([pair.SerializeToString() for pair in pairs])]

    def _message(self, wire: bytes, unreadable: _M, scrub: Callable[[_M, Leaves], None]) -> bytes:
        """A message rewritten by ``scrub``; without unknown fields, which nobody could have scrubbed."""
        message = type(unreadable)()
        try:
            message.ParseFromString(wire)
        except DecodeError:
            self._tally.add([("unreadable", "mask")])
            return unreadable.SerializeToString()
        if self._off:
            return wire
        message.DiscardUnknownFields()
        scrub(message, Leaves(self.text, self._key_text, self._pairs))
        cleaned = message.SerializeToString()
        return wire if cleaned == wire else cleaned

    def event(self, wire: bytes) -> bytes:
        """A Span.Event: its name and attributes."""
        return self._message(wire, Span.Event(name=UNREADABLE), messages.event)

    def link(self, wire: bytes) -> bytes:
        """A Span.Link: its trace_state and attributes."""
        return self._message(wire, Span.Link(trace_state=UNREADABLE), messages.link)

    def resource(self, wire: bytes) -> bytes:
        """A Resource: its attributes and what its entity_refs say."""
        return self._message(wire, Resource(attributes=[key_value(messages.NO_MESSAGE)]), messages.resource)

    def scope(self, wire: bytes) -> bytes:
        """An InstrumentationScope: its name, version and attributes."""
        return self._message(wire, InstrumentationScope(name=UNREADABLE), messages.scope)

    def exemplar(self, wire: bytes) -> bytes:
        """An Exemplar: its filtered_attributes."""
        return self._message(wire, Exemplar(), messages.exemplar)

    def value(self, wire: bytes) -> bytes:
        """A bare AnyValue such as a log body."""
        return self._message(wire, AnyValue(string_value=UNREADABLE), self._value)

    def _value(self, value: AnyValue, _leaves: Leaves) -> None:
        hits: Hits = []
        self._tree.value(value, Action.KEEP, hits, listed=False)
        self._tally.add(hits)

    def take_tally(self) -> dict[tuple[str, str], int]:
        """(rule, mode) to hits since the last call; a remembered answer counts its hits again."""
        return self._tally.take()

    def may_produce(self, text: str) -> bool:
        """Whether a raw value other than ``text`` can be scrubbed to ``text``: never False when one can."""
        return not self._off and _MARKS.search(text) is not None
