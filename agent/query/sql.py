"""Plan and source to statements: text made of our own names, values bound; pure, with golden files."""

from __future__ import annotations

import itertools

import pyarrow as pa

from agent import schema
from agent.batch import Signal
from agent.query.fields import Order
from agent.query.page import Position
from agent.query.parts import ALL, Portion
from agent.query.plan import Names, Plan
from agent.store.statement import Source, Statement

_DESCENDING = {Order.NEWEST: True, Order.SLOWEST: True, Order.OLDEST: False}


def key_column(plan: Plan) -> str:
    """The column that a plan orders by."""
    return "duration_ns" if plan.order is Order.SLOWEST else schema.TIME_COLUMNS[plan.signal]


def descending(plan: Plan) -> bool:
    """Whether the highest key comes first."""
    return _DESCENDING[plan.order]


def texts_of(signal: Signal) -> tuple[int, ...]:
    """Where texts stand among a signal's hot columns."""
    kinds = (schema.TABLES[signal].field(name).type for name in schema.HOT[signal])
    return tuple(place for place, kind in enumerate(kinds) if kind == pa.string())


class _Where:
    """Conditions and their parameters, in order."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.parameters: list[object] = []

    def add(self, condition: str, *parameters: object) -> None:
        self._conditions.append(condition)
        self.parameters.extend(parameters)

    def text(self) -> str:
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""


def _visible(own: tuple[str, ...] | None, source: Source) -> _Where:
    """What every statement begins with: the rows this source answers for, of the node's own services alone."""
    where = _Where()
    if source.below is not None:
        where.add("arrival < ?", source.below)
    if source.ranges is not None:
        either = " OR ".join("arrival >= ? AND arrival < ?" for _ in source.ranges) or "false"
        where.add(f"({either})", *itertools.chain(*source.ranges))
    if source.among is not None:
        where.add(f"arrival IN (SELECT arrival FROM {source.among})")  # noqa: S608 our own name
    if own is not None:
        where.add(f"service_name IN ({', '.join('?' for _ in own)})", *own)
    return where


def _matches(plan: Plan, source: Source) -> _Where:
    """The rows of a source that match, as far as raw values can tell."""
    where = _visible(plan.own, source)
    time = schema.TIME_COLUMNS[plan.signal]
    # What holds for all of a source is not asked of each row: a count then reads a column less.
    if plan.window.start_ns is not None and source.bounds.min_time_ns < plan.window.start_ns:
        where.add(f"{time} >= ?", plan.window.start_ns)
    if plan.window.end_ns is not None and source.bounds.max_time_ns >= plan.window.end_ns:
        where.add(f"{time} < ?", plan.window.end_ns)
    for column, value in plan.equal.items():
        # Without the cast DuckDB compares as HUGEINT and cannot use the zone maps of an id.
        cast = "::UBIGINT" if schema.TABLES[plan.signal].field(column).type == pa.uint64() else ""
        where.add(f"{column} = ?{cast}", value)
    for column, bound in plan.least.items():
        where.add(f"{column} >= ?", bound)
    for column, bound in plan.most.items():
        where.add(f"{column} <= ?", bound)
    return where


def _beyond(plan: Plan, after: Position, where: _Where) -> None:
    """Rows behind a position; the first condition repeats what the second implies, for the zone maps."""
    key = key_column(plan)
    sign = "<" if descending(plan) else ">"
    where.add(f"{key} {sign}= ?", after.key)
    where.add(f"({key} {sign} ? OR arrival {sign} ?)", after.key, after.arrival)


def _ordered(
    plan: Plan, source: Source, columns: str, after: Position | None, limit: int, edge: int | None = None
) -> Statement:
    where = _matches(plan, source)
    if after is not None:
        _beyond(plan, after, where)
    if edge is not None:
        where.add(f"{key_column(plan)} {'>' if descending(plan) else '<'}= ?", edge)
    direction = "DESC" if descending(plan) else "ASC"
    text = (
        f"SELECT {columns} FROM {source.relation}{where.text()} "  # noqa: S608 our own names; values are bound
        f"ORDER BY {key_column(plan)} {direction}, arrival {direction} LIMIT ?"
    )
    return Statement(text, [*where.parameters, limit])


def page(plan: Plan, source: Source, after: Position | None, limit: int, edge: int | None = None) -> Statement:
    """The first ``limit`` matching rows behind a position, with no key beyond ``edge``: their hot columns."""
    return _ordered(plan, source, ", ".join(schema.HOT[plan.signal]), after, limit, edge)


def shown(plan: Plan, source: Source, after: Position, limit: int) -> Statement:
    """Rows of the same key at or before a position: what an equal row behind it would repeat."""
    where = _matches(plan, source)
    sign = ">" if descending(plan) else "<"
    where.add(f"{key_column(plan)} = ?", after.key)
    where.add(f"arrival {sign}= ?", after.arrival)
    text = (
        f"SELECT {', '.join(schema.HOT[plan.signal])} "  # noqa: S608 our own names; values are bound
        f"FROM {source.relation}{where.text()} LIMIT ?"
    )
    return Statement(text, [*where.parameters, limit])


def positions(plan: Plan, source: Source, limit: int) -> Statement:
    """The positions (``key``, ``arrival``) of the first ``limit`` matching rows."""
    return _ordered(plan, source, f"{key_column(plan)} AS key, arrival", None, limit)


def count(plan: Plan, source: Source) -> Statement:
    """How many rows match."""
    where = _matches(plan, source)
    text = f"SELECT count(*) FROM {source.relation}{where.text()}"  # noqa: S608 our own names; values are bound
    return Statement(text, where.parameters)


def kept(own: tuple[str, ...] | None, source: Source, time: str) -> Statement:
    """Per service: ``service_name``, ``rows``, ``earliest`` and ``latest`` event time."""
    where = _visible(own, source)
    text = (
        f"SELECT service_name, count(*) AS rows, min({time}) AS earliest, max({time}) AS latest "  # noqa: S608 our own names
        f"FROM {source.relation}{where.text()} GROUP BY service_name"
    )
    return Statement(text, where.parameters)


_VALUE = "coalesce(double_value, int_value::DOUBLE, sum)"
"""What a series shows of a point: a gauge's or sum's number, a histogram's or summary's sum."""

_SERIES = "origin, metric_name, unit, type, temporality, is_monotonic, series"


def steps(plan: Plan, source: Source, limit: int, portion: Portion = ALL) -> Statement:
    """Per series and step: its columns, the step's number since the window's start, one of its points, and what they say."""
    where = _matches(plan, source)
    in_portion(where, portion, f"{_SERIES}, (time_ns - ?) // ?", plan.window.start_ns, plan.step_ns)
    text = (
        f"SELECT {_SERIES}, (time_ns - ?) // ? AS step, max(arrival), count(*), max(time_ns), "  # noqa: S608 our own names; values are bound
        f"arg_max({_VALUE}, (time_ns, arrival)), min({_VALUE}), max({_VALUE}), sum({_VALUE}), "
        f"arg_max(count, (time_ns, arrival)) FROM {source.relation}{where.text()} GROUP BY {_SERIES}, step LIMIT ?"
    )
    return Statement(text, [plan.window.start_ns, plan.step_ns, *where.parameters, limit])


def in_portion(where: _Where, portion: Portion, group: str, *parameters: object) -> None:
    """Of the groups those of one portion; the text stays as it is when that is all."""
    if portion != ALL:
        where.add(f"hash({group}) % ?::UBIGINT = ?::UBIGINT", *parameters, portion.of, portion.number)


def operations(asked: Names, source: Source, limit: int, portion: Portion = ALL) -> Statement:
    """Per span name and kind: name, kind, spans, errors."""
    where = _named(asked, source, "start_time_ns")
    in_portion(where, portion, "name, kind")
    text = (
        f"SELECT name, kind, count(*), count(*) FILTER (failed) "  # noqa: S608 our own names; values are bound
        f"FROM {source.relation}{where.text()} GROUP BY name, kind LIMIT ?"
    )
    return Statement(text, [*where.parameters, limit])


def metrics(asked: Names, source: Source, limit: int, portion: Portion = ALL) -> Statement:
    """Per metric: name, type, unit, one of its points, how many there are."""
    where = _named(asked, source, "time_ns")
    in_portion(where, portion, "metric_name, type, unit")
    text = (
        f"SELECT metric_name, type, unit, max(arrival), count(*) "  # noqa: S608 our own names; values are bound
        f"FROM {source.relation}{where.text()} GROUP BY metric_name, type, unit LIMIT ?"
    )
    return Statement(text, [*where.parameters, limit])


def newest(asked: Names, source: Source, time: str, limit: int) -> Statement:
    """The arrival numbers of the newest records."""
    where = _named(asked, source, time)
    text = f"SELECT arrival FROM {source.relation}{where.text()} ORDER BY {time} DESC LIMIT ?"  # noqa: S608 our own names
    return Statement(text, [*where.parameters, limit])


def _named(asked: Names, source: Source, time: str) -> _Where:
    where = _visible(asked.own, source)
    if asked.service_name is not None:
        where.add("service_name = ?", asked.service_name)
    if asked.window.start_ns is not None:
        where.add(f"{time} >= ?", asked.window.start_ns)
    if asked.window.end_ns is not None:
        where.add(f"{time} < ?", asked.window.end_ns)
    return where
