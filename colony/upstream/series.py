"""Pure: what Tempo answers besides traces: series of metrics queries, names and values of attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colony.upstream.shapes import attributes, listed, table, tables, whole


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a metrics query: its labels, and values by time in nanoseconds (of an instant query one, at 0)."""

    labels: Mapping[str, str]
    points: tuple[tuple[int, float], ...]


def number(value: Any) -> float:  # noqa: ANN401 JSON
    """A number, NaN and infinities as texts; a zero is left out."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def series(document: Any) -> list[Series]:  # noqa: ANN401 JSON
    """What a metrics query answered, instant or over a range."""
    return [_series(each) for each in tables(table(document).get("series"))]


def _series(each: Mapping[str, Any]) -> Series:
    labels = {key: _label(value) for key, value in attributes(each.get("labels")).items()}
    samples = tables(each.get("samples"))
    if not samples and "samples" not in each:
        return Series(labels, ((0, number(each.get("value"))),))
    return Series(labels, tuple((whole(one.get("timestampMs")) * 1_000_000, number(one.get("value"))) for one in samples))


def _label(value: str) -> str:
    """A label's value bare: it is there to be read."""
    try:
        (content,) = json.loads(value).values()
    except (ValueError, AttributeError):
        return value
    return str(content)


def names_by_scope(document: Any) -> dict[str, list[str]]:  # noqa: ANN401 JSON
    """Attribute names by scope."""
    scopes = tables(table(document).get("scopes"))
    return {str(one.get("name", "")): [str(tag) for tag in listed(one.get("tags"))] for one in scopes}


def values_of(document: Any) -> list[str]:  # noqa: ANN401 JSON
    """The values of an attribute, by either of Tempo's forms: by type, or a list of typed values."""
    found = table(document).get("tagValues")
    if isinstance(found, dict):
        return [str(value) for values in found.values() if isinstance(values, list) for value in values]
    return [str(one.get("value", "")) if isinstance(one, dict) else str(one) for one in listed(found)]
