"""Conditions that no SQL answers: on cold columns, which blocks are asked for, and on scrubbed rows; pure."""

from __future__ import annotations

from dataclasses import replace

from agent import values
from agent.query.fields import Order
from agent.query.marks import unmarked
from agent.query.page import Position
from agent.query.plan import Plan, Recheck
from agent.query.rows import Row, Shape
from agent.store.statement import Wanted


def wanted_of(plan: Plan) -> Wanted | None:
    """The plan's conditions on cold columns."""
    if not plan.attributes and not plan.text:
        return None
    forms = tuple(tuple(wires) for wires in plan.attributes)
    return Wanted(forms, values.folded(plan.text or ""), plan.window.start_ns, plan.window.end_ns)


def wanted_between(wanted: Wanted | None, order: Order, after: Position | None, edge: int | None) -> Wanted | None:
    """The same conditions for rows behind a position, or at it, and not beyond ``edge``: only blocks of that time are read."""
    if wanted is None or order is Order.SLOWEST:
        return wanted
    near = None if after is None else after.key
    first, last = (near, edge) if order is Order.OLDEST else (edge, near)
    starts = [start for start in (wanted.start_ns, first) if start is not None]
    ends = [end for end in (wanted.end_ns, None if last is None else last + 1) if end is not None]
    return replace(wanted, start_ns=max(starts, default=None), end_ns=min(ends, default=None))


def holds(row: Row, recheck: Recheck, shape: Shape) -> bool:
    """Whether a scrubbed row meets a condition."""
    if recheck.field == "text":
        return values.folded(recheck.wanted) in values.folded(shape.text(row))
    if recheck.field == "unmarked":
        wanted_text, text = values.folded(recheck.wanted), values.folded(shape.text(row))
        return wanted_text in text and any(wanted_text in piece for piece in unmarked(text))
    if recheck.field != "attributes":
        return bool(row[recheck.field] == recheck.wanted)
    wanted = values.values_of_text(recheck.wanted)
    return any(
        attribute.key == recheck.key and attribute.value in wanted
        for attribute in (values.key_value(wire) for wire in row["attributes"])
    )
