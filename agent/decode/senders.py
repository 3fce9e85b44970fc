"""Which services an export is of, and how many of its bytes are whose, without parsing its records; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from agent import services
from agent.decode.wire import LENGTH_DELIMITED, field_at
from agent.errors import MalformedExport

_FIRST = 1 << 3 | LENGTH_DELIMITED
"""The tag of field 1: in every signal's request ``resource_spans`` and its like, in those the Resource."""


def bytes_by_service(payload: bytes) -> Mapping[str, int]:
    """Bytes by service, its name as it is stored; of what cannot be read nothing is said."""
    found: Counter[str] = Counter()
    try:
        for start, end in _firsts(payload, 0, len(payload)):
            inner = next(_firsts(payload, start, end), (0, 0))
            name = services.service_name(payload[slice(*inner)])
            found[services.normal(name) or services.UNKNOWN_SERVICE] += end - start
    except (MalformedExport, ValueError):
        return {}
    return found


def _firsts(payload: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the contents of each field 1 of a message begin and end."""
    while at < end:
        tag, size, at = field_at(payload, at, end)
        if tag == _FIRST:
            yield at, min(at + size, end)
        at += size
