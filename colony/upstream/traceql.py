"""Pure: TraceQL made of values, each escaped here; nobody puts a query together from pieces of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
SCOPES = ("", "span", "resource", "event", "link", "instrumentation")
SHOWN = ("name", "kind", "status", "statusMessage", "resource.service.name", "span:parentID")
"""What a search is asked to say of each span besides its id, start and duration."""


def quoted(text: str) -> str:
    """A string literal: what stands in it cannot end it, whatever it is."""
    return '"' + "".join(_escaped(character) for character in text.encode("utf-8", "replace").decode()) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def attribute(key: str, scope: str = "") -> str:
    """An attribute's name with its scope, in quotes where it needs them; without scope of the span or else of its resource.

    Raises:
        ValueError: no such scope, or an empty key.
    """
    if scope not in SCOPES or not key:
        raise ValueError(f"scope is one of {', '.join(SCOPES[1:])} or none, and a key has a character")
    return f"{scope}.{key if _BARE.fullmatch(key) else quoted(key)}"


def equals(key: str, value: str | bool | float, scope: str = "") -> str:
    """A condition. A text that is also a number or true/false matches the typed value too, as agents match it."""
    name = attribute(key, scope)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    forms = [f"{name} = {quoted(text)}"]
    if _NUMBER.fullmatch(text) or text in ("true", "false"):
        forms.append(f"{name} = {text}")
    return forms[0] if len(forms) == 1 else f"({' || '.join(forms)})"


@dataclass(frozen=True, slots=True)
class Spans:
    """Which spans: every field that is set must hold."""

    service: str = ""
    operation: str = ""
    least_ns: int = 0
    errors_only: bool = False
    attributes: Mapping[str, str | bool | float] | None = None
    more: Sequence[str] = ()
    """Conditions made by ``equals``."""

    @property
    def spanset(self) -> str:
        """The filter; of nothing ``{}``, every span."""
        return "{" + " && ".join(self._conditions()) + "}"

    def _conditions(self) -> Iterable[str]:
        if self.service:
            yield f"{attribute('service.name', 'resource')} = {quoted(self.service)}"
        if self.operation:
            yield f"name = {quoted(self.operation)}"
        if self.least_ns:
            yield f"duration >= {int(self.least_ns)}ns"
        if self.errors_only:
            yield "status = error"
        for key, value in (self.attributes or {}).items():
            yield equals(key, value)
        yield from self.more


def search(spans: Spans, *, also: Spans | None = None, newest: bool = True) -> str:
    """A search for these spans, each with what a row shows; ``also``: in traces that have one of those too."""
    found = spans.spanset if also is None else f"{spans.spanset} && {also.spanset}"
    return f"{found} | select({', '.join(SHOWN)})" + (" with(most_recent=true)" if newest else "")


def rate(spans: Spans, by: Sequence[str] = ()) -> str:
    """A metrics query: spans a second, apart by attributes as ``attribute`` writes them."""
    return f"{spans.spanset} | rate()" + (f" by ({', '.join(by)})" if by else "")


def quantiles(spans: Spans, *which: float) -> str:
    """A metrics query: quantiles of durations."""
    return f"{spans.spanset} | quantile_over_time(duration, {', '.join(f'{float(q):g}' for q in which)})"
