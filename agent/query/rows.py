"""Rows as they come from the store, and the Shape each signal gives them; pure.

Rows stay columns from the store to the wire; a Row, which maps the columns of its table to values, is made of one only where
it is looked at by itself. An ``Origin`` stands in place of the origin's hash. A Shape says how one signal's rows are scrubbed
and written, so that paging, counting and cutting are written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from agent.scrub.scrubber import Scrubber
from agent.wires import joined_cells, picked_cells

Row = dict[str, Any]


class Rows:
    """Rows in order, column by column: values for each name, all as many. A thousand dicts cost 5 ms more."""

    __slots__ = ("_columns",)

    def __init__(self, columns: dict[str, Sequence[Any]]) -> None:
        self._columns = columns

    @classmethod
    def of(cls, rows: Sequence[Row], names: Iterable[str]) -> Rows:
        """These rows' columns of these names."""
        return cls({name: [row[name] for row in rows] for name in names})

    def __len__(self) -> int:
        """How many rows."""
        return len(next(iter(self._columns.values())))

    def __getitem__(self, name: str) -> Sequence[Any]:
        """A column; nobody changes it."""
        return self._columns[name]

    @property
    def names(self) -> Iterable[str]:
        """The columns' names."""
        return self._columns.keys()

    def __iter__(self) -> Iterator[Row]:
        """Each row by itself."""
        for cells in zip(*self._columns.values(), strict=True):
            yield dict(zip(self._columns, cells, strict=True))

    def __add__(self, other: Rows) -> Rows:
        """These and others of the same columns behind them."""
        return Rows({name: joined_cells([cells, other[name]]) for name, cells in self._columns.items()})

    def first(self, count: int) -> Rows:
        """As many, from the beginning."""
        return self if count >= len(self) else self.picked(range(count))

    def picked(self, places: Sequence[int]) -> Rows:
        """Those at these places."""
        return Rows({name: picked_cells(cells, places) for name, cells in self._columns.items()})

    def having(self, columns: dict[str, Sequence[Any]]) -> Rows:
        """These with other columns in place of their own."""
        return Rows(self._columns | columns)


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


_TOGETHER: dict[Callable[[Scrubber, Any], Any], Callable[[Scrubber, Any], Sequence[Any]]] = {
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
    flat: Callable[[Rows], pa.BinaryArray]
    otlp: Callable[[Rows], bytes]
    shorten: Callable[[Row, int], Row]
    text: Callable[[Row], str] = lambda _: ""
    repeats: bool = True

    def scrubbed(self, rows: Rows, scrubber: Scrubber) -> Rows:
        """The rows, changed to what may leave; each origin is scrubbed once, and columns of text or attributes as a whole."""
        known: dict[int, Origin] = {id(origin): origin for origin in rows["origin"]}
        origins = {number: origin.scrubbed(scrubber) for number, origin in known.items()}
        columns = {name: _scrubbed_column(scrubber, scrub, rows[name]) for name, scrub in self.scrubbing.items()}
        return rows.having(columns | {"origin": [origins[number] for number in map(id, rows["origin"])]})


def _scrubbed_column(scrubber: Scrubber, scrub: Callable[[Scrubber, Any], Any], cells: Sequence[Any]) -> Sequence[Any]:
    """The cells of one column."""
    together = _TOGETHER.get(scrub)
    return [scrub(scrubber, cell) for cell in cells] if together is None else together(scrubber, cells)


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
