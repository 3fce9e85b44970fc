"""The scrub room's door: one attribute, one string or one message in, the same without personal data out.

Law: scrubbing what is scrubbed changes nothing, and whatever the rules changed carries a mark that ``may_produce`` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

import pyarrow as pa
import re2
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.scrub import messages
from agent.scrub.attributes import AttributeRules, separated, suspects
from agent.scrub.keys import NO_VERDICT, KeyRules
from agent.scrub.messages import Leaves
from agent.scrub.own import OwnPattern, hints_of
from agent.scrub.rules import OwnRule, Place, ScrubSettings
from agent.scrub.ruleset import rules_hash
from agent.scrub.tally import Tally
from agent.scrub.text import Hits, ValueRules
from agent.scrub.tree import Tree, pseudonym
from agent.scrub.wire import SEPARATOR
from agent.values import UNREADABLE, key_value
from agent.wires import WireLists, bytes_of, wire_lists

TEXTS = 32768
TEXT_CHARACTERS = 512
"""Of names and messages that are remembered: together at most 16 MiB, and what is longer hardly repeats."""

_MARKS = re2.compile(r'REDACTED|hmac:|\?|::|[0-9]\.[0-9]+\.[0-9]+\.0(?:[^0-9]|\z)|\[unreadable\]|"bytesValue"')

_EVENTS = bytes([Span.DESCRIPTOR.fields_by_name["events"].number << 3 | 2])

_M = TypeVar("_M", bound=Message)


class Scrubber:
    """Everything that leaves the agent goes through one of these; safe to share between threads.

    ``signal`` chooses among the configuration's rules those that look at it; without one all do.
    """

    def __init__(self, settings: ScrubSettings, hmac_key: bytes, signal: str | None = None) -> None:
        own = [rule for rule in settings.rules if signal is None or not rule.signals or signal in rule.signals]
        self._off = settings.profile == "off"
        self._tally = Tally()
        self._hmac_key = hmac_key
        trees = {place: self._tree(settings, own, place) for place in Place}
        keys, tree, values = trees[Place.ATTRIBUTES]
        self._keys = keys
        self._attributes = AttributeRules(keys, tree, values, all_suspect=settings.profile == "strict")
        self._hints = tuple({hint for _, _, its in trees.values() for hint in its.hints})
        self._text_tree, self._text_values = trees[Place.TEXT][1:]
        self._body_tree, self._body_values = trees[Place.BODY][1:]
        self._texts: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}
        self.rules_hash = rules_hash(settings)

    def _tree(self, settings: ScrubSettings, own: Sequence[OwnRule], place: Place) -> tuple[KeyRules, Tree, ValueRules]:
        """The rules that look at one place."""
        looking = [rule for rule in own if rule.reads(place)]
        patterns = [OwnPattern.of(rule, self._pseudonym) for rule in looking if rule.pattern and not rule.keys]
        values = ValueRules(patterns, hints_of(looking))
        keys = KeyRules(ScrubSettings(settings.profile, settings.allow_keys, tuple(looking)), values)
        return keys, Tree(keys, values, self._hmac_key), values

    def _pseudonym(self, text: str) -> str:
        return pseudonym(self._hmac_key, text)

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
        changed = self.changed(pa.array(wires, pa.binary()))
        if not changed:
            return wires
        left = [changed.get(place, wire) for place, wire in enumerate(wires)]
        return [wire for wire in left if wire is not None]

    def attribute_lists(self, cells: Sequence[Sequence[bytes]]) -> WireLists:
        """Many rows' attributes at once, which costs an eighth of one row after the other; see ``attributes``."""
        lists = wire_lists(cells)
        changed = self.changed(lists.table, lambda: lists.counts().tolist())
        return lists.changed(changed) if changed else lists

    def changed(self, wires: pa.BinaryArray, counts: Callable[[], Sequence[int]] | None = None) -> dict[int, bytes | None]:
        """Which of these attributes do not leave as they are, by place: what leaves instead, None for those dropped.

        ``counts`` tells how often each stands somewhere, which is how often its hits count.
        """
        if self._off:
            unreadable = ((place, wire) for place, wire in enumerate(bytes_of(wires)) if not _is_readable(wire))
            return {place: key_value(wire).SerializeToString() for place, wire in unreadable}
        hits: Hits = []
        changed = self._attributes.changed(wires, hits, counts)
        if hits:
            self._tally.add(hits)
        return changed

    def text(self, value: str) -> str:
        """The value rules on a bare string: a name, a message, a version, a state, a schema URL."""
        if self._off or not value:
            return value
        left, hits = self._text(value)
        if hits:
            self._tally.add(hits)
        return left

    def _text(self, value: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        known = self._texts.get(value)
        if known is None:
            known = self._judged(value, self._text_tree, self._text_values)
            if len(value) <= TEXT_CHARACTERS:
                if len(self._texts) >= TEXTS:
                    self._texts.clear()
                self._texts[value] = known
        return known

    def keeps(self, value: str) -> bool:
        """Whether ``text`` leaves this as it is; counts nothing."""
        return self._off or not value or self._text(value)[0] == value

    def keeps_attribute(self, wire: bytes) -> bool:
        """Whether ``attribute`` leaves this as it is; counts nothing."""
        return not self._attributes.changed(pa.array([wire], pa.binary()), []) if not self._off else _is_readable(wire)

    def keeps_body(self, value: str) -> bool:
        """Whether ``body`` leaves this as it is; counts nothing."""
        return self._off or not value or self._judged(value, self._body_tree, self._body_values)[0] == value

    def texts(self, values: list[str | None]) -> list[str | None]:
        """Many of them, as ``text``; None stays None."""
        if all(value is None or self.keeps(value) for value in set(values)):
            return values
        return [value and self.text(value) for value in values]

    def suspect_bodies(self, values: list[bytes | None]) -> Iterator[int]:
        """The places of those log bodies, in UTF-8, that ``body`` may change."""
        if self._off:
            return
        texts = [value or b"" for value in values]
        joined = SEPARATOR.join((*texts, b""))
        ends = list(accumulate(len(text) + 1 for text in texts))
        found = set(suspects(joined, ends, self._body_values.hints))
        if self._attributes.all_suspect:
            found |= {place for place, text in enumerate(texts) if text.lstrip()[:1] in (b"{", b"[")}
        yield from sorted(found)

    def body(self, value: str) -> str:
        """A log body that is a string; one that is JSON is read as such."""
        if self._off or not value:
            return value
        cleaned, hits = self._judged(value, self._body_tree, self._body_values)
        self._tally.add(hits)
        return cleaned

    def _judged(self, value: str, tree: Tree, values: ValueRules) -> tuple[str, tuple[tuple[str, str], ...]]:
        is_document = self._attributes.all_suspect and value.lstrip()[:1] in ("{", "[")
        if not is_document and not values.suspicious(value):
            return value, ()
        hits: Hits = []
        return tree.string(value, hits), tuple(hits)

    def key_text(self, key: str) -> str:
        """A key without a value."""
        hits: Hits = []
        cleaned = self._keys.cleaned(key, hits)
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
        if self._attributes.all_suspect or any(hint.start(wire) >= 0 for hint in self._hints):
            scrub(message, Leaves(self.text, self.key_text, self._pairs))
        elif isinstance(message, Span.Link | Exemplar):
            messages.clear_wrong_ids(message)
        cleaned = message.SerializeToString()
        return wire if cleaned == wire else cleaned

    def event_lists(self, cells: Sequence[Sequence[bytes]]) -> WireLists:
        """The events of many rows; see ``event``."""
        lists = wire_lists(cells)
        changed = self.changed_events(lists.table)
        return lists.changed(changed) if changed else lists

    def changed_events(self, wires: pa.BinaryArray) -> dict[int, bytes | None]:
        """Which of these events do not leave as they are, by place, and what leaves instead."""
        events = bytes_of(wires)
        looked_at = [(place, self.event(events[place])) for place in self._suspect_events(wires, events)]
        return {place: left for place, left in looked_at if left is not events[place]}

    def _suspect_events(self, wires: pa.BinaryArray, events: Sequence[bytes]) -> Iterable[int]:
        """The places of those that may change."""
        if self._off or self._attributes.all_suspect or not events:
            return range(len(events))
        found = set(suspects(*separated(wires), self._hints))
        others = [wire for place, wire in enumerate(events) if place not in found]
        return found if messages.are_known(others, Span, _EVENTS) else range(len(events))

    def link_lists(self, cells: Sequence[Sequence[bytes]]) -> WireLists:
        """The links of many rows; see ``link``."""
        lists = wire_lists(cells)
        links = [(place, wire, self.link(wire)) for place, wire in enumerate(bytes_of(lists.table))]
        changed = {place: left for place, wire, left in links if left is not wire}
        return lists.changed(changed) if changed else lists

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
        self._body_tree.value(value, NO_VERDICT, hits, listed=False)
        self._tally.add(hits)

    def take_tally(self) -> dict[tuple[str, str], int]:
        """(rule, mode) to hits since the last call; a remembered answer counts its hits again."""
        return self._tally.take()

    def may_produce(self, text: str) -> bool:
        """Whether a raw value other than ``text`` can be scrubbed to ``text``: never False when one can."""
        return not self._off and _MARKS.search(text) is not None


def _is_readable(wire: bytes) -> bool:
    try:
        KeyValue.FromString(wire)
    except DecodeError:
        return False
    return True
