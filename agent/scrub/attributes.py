"""Many attributes at once: two searches over all their bytes find the few that may change, and only those are walked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agent.arrays import ends_of
from agent.scrub import messages
from agent.scrub.engine import Search
from agent.scrub.keys import KeyRules, Verdict
from agent.scrub.rules import Action
from agent.scrub.tally import Memo
from agent.scrub.text import Hits, ValueRules
from agent.scrub.tree import MASKS, Tree
from agent.scrub.wire import SEPARATOR, irregular, is_key_head, string_start
from agent.values import key_value
from agent.wires import bytes_of

MEMO_ENTRIES = 16384
MEMO_BYTES = 512
"""Of the attributes that needed a look; those over 512 bytes are rare. Together at most 16 MiB."""

_UNREADABLE = key_value(messages.NO_MESSAGE)
_ANY_VALUE = KeyValue(value=AnyValue(bool_value=True)).SerializeToString()
_UNREADABLE_WIRE = _UNREADABLE.SerializeToString()


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """What leaves in place of the input (None: nothing), and which rules fired."""

    wire: bytes | None
    hits: tuple[tuple[str, str], ...]


CLEAN = _Answer(None, ())
"""By identity: the input leaves as it is."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What a key field alone says: the key's action, and the answer where that is the same for every readable value."""

    action: Action
    whole: _Answer | None = None


_UNUSUAL = _Head(Action.MASK)
"""Of a key field that needs the full walk."""


def separated(wires: pa.BinaryArray) -> tuple[bytes, list[int]]:
    """All of them with a separator behind each, and where those separators end."""
    ends = ends_of(wires)
    of_all = pa.ListArray.from_arrays(pa.array([0, len(wires)], pa.int32()), wires)
    joined: bytes = pc.binary_join(of_all, pa.scalar(SEPARATOR, pa.binary()))[0].as_py() + SEPARATOR
    return joined, (ends[1:] - ends[0] + np.arange(1, len(ends))).tolist()


def suspects(joined: bytes, ends: Sequence[int], hints: Iterable[Search]) -> Iterator[int]:
    """The places of attributes that hold a hint, by one hint after the other.

    ``joined`` is all of them with a separator behind each, ``ends`` where those separators end.
    """
    for hint in hints:
        index = 0
        at = hint.start(joined)
        while at >= 0:
            index = bisect_right(ends, at, index)
            if index == len(ends):
                break
            yield index
            at = hint.start(joined, ends[index])


class AttributeRules:
    """The rules on attributes, with a memo of those that needed a look.

    ``all_suspect`` says that an attribute without a hint may change as well: not listed, it must.
    """

    def __init__(self, keys: KeyRules, tree: Tree, values: ValueRules, *, all_suspect: bool) -> None:
        self._keys = keys
        self._tree = tree
        self._values = values
        self.all_suspect = all_suspect
        self._memo: Memo[bytes, _Answer] = Memo(MEMO_ENTRIES, MEMO_BYTES)
        self._heads: dict[bytes, _Head] = {}

    def changed(
        self, wires: pa.BinaryArray, hits: Hits, counts: Callable[[], Sequence[int]] | None = None
    ) -> dict[int, bytes | None]:
        """What leaves instead of the attributes that change, by place; None for those dropped.

        ``hits`` gets those of each as often as ``counts`` says.
        """
        looked_at = self._looked_at(wires)
        answers = zip(looked_at, map(self._answer, bytes_of(wires.take(pa.array(looked_at, pa.int64())))), strict=True)
        changing = {place: answer for place, answer in answers if answer is not CLEAN}
        often = counts() if counts is not None and changing else None
        for place, answer in changing.items():
            hits.extend(answer.hits * (1 if often is None else often[place]))
        return {place: answer.wire for place, answer in changing.items()}

    def _looked_at(self, wires: pa.BinaryArray) -> Sequence[int]:
        """The places of those that may change."""
        if self.all_suspect or not len(wires):
            return range(len(wires))
        joined, ends = separated(wires)
        return sorted({*suspects(joined, ends, self._values.hints), *irregular(joined, ends)})

    def _answer(self, wire: bytes) -> _Answer:
        at = wire[1] + 2 if len(wire) > 1 else 0
        head = self._heads.get(wire[:at]) or self._head(wire[:at])
        whole = head.whole
        if whole is not None and string_start(wire, at) >= 0:
            return CLEAN if wire == whole.wire else whole
        answer = self._memo.get(wire)
        if answer is None:
            answer = CLEAN if head.action is Action.KEEP and self._is_clean(wire, at) else self.judged(wire)
            self._memo.put(wire, answer)
        return answer

    def _is_clean(self, wire: bytes, at: int) -> bool:
        """Whether the value field at ``at`` is of the usual layout and without a hint."""
        start = string_start(wire, at)
        if start < 0:
            return False
        value = wire[start:]
        return not any(hint.start(value) >= 0 for hint in self._values.hints)

    def _head(self, field: bytes) -> _Head:
        """What a key field says; ``_UNUSUAL`` when its text does not leave as it is."""
        head = _UNUSUAL
        if is_key_head(field) and field.isascii():
            key = field[2:].decode()
            verdict = self._keys.verdict(key, listed=False)
            if verdict.key == key:
                head = _Head(verdict.action, self._whole(field, verdict))
        if len(self._heads) >= KeyRules.MEMO:
            self._heads.clear()
        self._heads[field] = head
        return head

    def _whole(self, field: bytes, verdict: Verdict) -> _Answer | None:
        """The answer of a default rule that drops or masks a key's value whatever it is; None of any other."""
        if verdict.own is not None or verdict.hits or verdict.action not in MASKS:
            return None
        answer = self.judged(field + _ANY_VALUE)
        return None if answer is CLEAN else answer

    def judged(self, wire: bytes) -> _Answer:
        """The full walk over one attribute."""
        pair = key_value(wire)
        if pair == _UNREADABLE:
            return _Answer(_UNREADABLE_WIRE, (("unreadable", "mask"),))
        hits: Hits = []
        pair.DiscardUnknownFields()
        verdict = self._keys.verdict(pair.key, listed=False)
        if verdict.action in (Action.DROP, Action.GENAI):
            return _Answer(None, ((verdict.rule, "drop"),))
        hits.extend(verdict.hits)
        self._tree.value(pair.value, verdict, hits, listed=self._keys.allows(pair.key))
        pair.key = verdict.key
        cleaned = pair.SerializeToString()
        return CLEAN if cleaned == wire else _Answer(cleaned, tuple(hits))
