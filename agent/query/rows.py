"""Rows as they come from the store, and the Shape each signal gives them; pure.

A Row maps the columns of its table to values, with an ``Origin`` in place of the origin's hash. A Shape says how one signal's
rows are scrubbed and written, so that paging, counting and cutting are written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from agent.scrub.scrubber import Scrubber

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """A row's Resource and scope as wire bytes (None: absent), their schema URLs, and its service."""

    service_name: str
    resource: bytes | None
    resource_schema_url: str
    scope: bytes | None
    scope_schema_url: str
    flat: dict[str, bytes] = field(default_factory=dict, compare=False)
    """What the flat messages of its rows have in common, in wire form, by message name; made once."""

    def scrubbed(self, scrubber: Scrubber) -> Origin:
        """This origin as it may leave."""
        return Origin(
            scrubber.text(self.service_name),
            None if self.resource is None else scrubber.resource(self.resource),
            scrubber.text(self.resource_schema_url),
            None if self.scope is None else scrubber.scope(self.scope),
            scrubber.text(self.scope_schema_url),
        )


def of_text(scrubber: Scrubber, value: str | None) -> str | None:
    """A column of text; null stays null."""
    return None if value is None else scrubber.text(value)


def of_attributes(scrubber: Scrubber, wires: list[bytes]) -> list[bytes]:
    """A column of KeyValues."""
    return scrubber.attributes(wires)


def of_events(scrubber: Scrubber, wires: list[bytes]) -> list[bytes]:
    """A column of Span.Events."""
    return [scrubber.event(wire) for wire in wires]


def of_links(scrubber: Scrubber, wires: list[bytes]) -> list[bytes]:
    """A column of Span.Links."""
    return [scrubber.link(wire) for wire in wires]


_TOGETHER: dict[Callable[[Scrubber, Any], Any], Callable[[Scrubber, list[Any]], list[Any]]] = {
    of_text: Scrubber.texts,
    of_attributes: Scrubber.attribute_lists,
    of_events: Scrubber.event_lists,
    of_links: Scrubber.link_lists,
}
"""Of whole columns: together their cells cost a quarter."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of one signal look outside.

    ``scrubbing`` names every column that can hold text or bytes of a sender, with what scrubs it (a test compares it with the
    schema). ``flat`` makes the message of each row, in wire form, ``otlp`` the request's counterpart of all. ``shorten`` cuts
    a message that alone is larger than a reply may be to about that many bytes, ``text`` is what text search reads.
    ``repeats`` says whether equal rows are different records: two equal log lines are, two equal spans are one sent twice.
    """

    scrubbing: Mapping[str, Callable[[Scrubber, Any], Any]]
    flat: Callable[[Sequence[Row]], list[bytes]]
    otlp: Callable[[Sequence[Row]], bytes]
    shorten: Callable[[Row, int], Row]
    text: Callable[[Row], str] = lambda _: ""
    repeats: bool = True

    def scrubbed(self, rows: Iterable[Row], scrubber: Scrubber) -> list[Row]:
        """The rows, changed to what may leave; each origin is scrubbed once, and columns of text or attributes as a whole."""
        rows = list(rows)
        known: dict[int, Origin] = {id(origin): origin for origin in map(itemgetter("origin"), rows)}
        origins = {number: origin.scrubbed(scrubber) for number, origin in known.items()}
        for row in rows:
            row["origin"] = origins[id(row["origin"])]
        for column, scrub in self.scrubbing.items():
            raw = list(map(itemgetter(column), rows))
            left = _scrubbed_column(scrubber, scrub, raw)
            if left is not raw:
                for row, cell in zip(rows, left, strict=True):
                    row[column] = cell
        return rows


def _scrubbed_column(scrubber: Scrubber, scrub: Callable[[Scrubber, Any], Any], cells: list[Any]) -> list[Any]:
    """The cells of one column, the same list when none changes."""
    together = _TOGETHER.get(scrub)
    return [scrub(scrubber, cell) for cell in cells] if together is None else together(scrubber, cells)


def row_of(names: Sequence[str], cells: Sequence[Any], origins: Mapping[int, Origin]) -> Row:
    """The row with these columns."""
    row = dict(zip(names, cells, strict=True))
    row["origin"] = origins[row["origin"]]
    return row


def origins_of(found: Iterable[Mapping[str, Any]]) -> dict[int, Origin]:
    """Origins by hash from rows of ``schema.ORIGINS``."""
    return {
        row["hash"]: Origin(
            row["service_name"], row["resource"], row["resource_schema_url"], row["scope"], row["scope_schema_url"]
        )
        for row in found
    }


def by_origin(resources: Any, scopes: str, rows: Iterable[Row]) -> Iterator[tuple[Any, list[Row]]]:  # noqa: ANN401 three
    """Rows under their Resource and scope: each scope's OTLP message, made in ``resources``, and its rows in order.

    ``resources`` is the repeated field of an OTLP request, trimmed; ``scopes`` names the field of its elements.
    """
    grouped: dict[Origin, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["origin"], []).append(row)
    made: dict[tuple[bytes | None, str], Any] = {}
    for origin, group in grouped.items():
        key = (origin.resource, origin.resource_schema_url)
        if key not in made:
            made[key] = resources.add(resource=origin.resource, schema_url=origin.resource_schema_url)
        yield getattr(made[key], scopes).add(scope=origin.scope, schema_url=origin.scope_schema_url), group


def shortened(row: Row, size: int, *, lists: Sequence[str], texts: Sequence[str]) -> Row:
    """A row cut to about ``size`` bytes: what is in ``lists`` goes from the end on, ``texts`` keep their beginning.

    Where a column counts what a list has dropped, what goes here is added to it.
    """
    cut = dict(row)
    for column in lists:
        cut[column] = _first(row[column] or [], size // (len(lists) + 1))
        dropped = f"dropped_{column}_count"
        if dropped in row:
            cut[dropped] = min(2**32 - 1, row[dropped] + len(row[column]) - len(cut[column]))
    for column in texts:
        if row[column] is not None:
            cut[column] = row[column][: size // 32]
    origin: Origin = row["origin"]
    if len(origin.resource or b"") + len(origin.scope or b"") > size // 4:
        cut["origin"] = Origin(origin.service_name[: size // 32], None, "", None, "")
        cut["service_name"] = row["service_name"][: size // 32]
    return cut


def _first(wires: Sequence[Any], room: int) -> list[Any]:
    kept = []
    for wire in wires:
        room -= len(wire) if isinstance(wire, bytes) else 8
        if room < 0:
            break
        kept.append(wire)
    return kept
