"""Pure: the names that many agents know, counted together, most frequent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.outcome import one_line

MAX_NAMES = 1000
"""Of each kind, as agents do."""


def merged_names(answers: Iterable[api.ListNamesResponse]) -> api.ListNamesResponse:
    """Counts add up; descriptions and examples are the first agent's."""
    operations: Counter[tuple[str, int]] = Counter()
    errors: Counter[tuple[str, int]] = Counter()
    metrics: Counter[tuple[str, int, str]] = Counter()
    keys: Counter[tuple[str, str]] = Counter()
    texts: dict[tuple[object, ...], str] = {}
    merged = api.ListNamesResponse()
    for answer in answers:
        merged.warnings.extend(map(one_line, answer.warnings))
        for operation in answer.operations:
            operations[operation.name, operation.kind] += operation.spans
            errors[operation.name, operation.kind] += operation.errors
        for metric in answer.metrics:
            metrics[metric.name, metric.type, metric.unit] += metric.data_points
            texts.setdefault((metric.name, metric.type, metric.unit), metric.description)
        for key in answer.attribute_keys:
            keys[key.key, key.signal] += key.records
            texts.setdefault((key.key, key.signal), key.example)
    for (name, kind), spans in operations.most_common(MAX_NAMES):
        merged.operations.add(name=name, kind=kind, spans=spans, errors=errors[name, kind])
    for (name, kind, unit), points in metrics.most_common(MAX_NAMES):
        described = texts[name, kind, unit]
        merged.metrics.add(name=name, type=kind, unit=unit, description=described, data_points=points)
    for (name, signal), records in keys.most_common(MAX_NAMES):
        merged.attribute_keys.add(key=name, signal=signal, example=texts[name, signal], records=records)
    return merged
