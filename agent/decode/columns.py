"""OTLP requests to Arrow, one way for every signal: trimmed descriptor, record batch, flat columns.

``flatten`` decodes a whole group of requests in one call, since a call costs more than the rows of a small request (0.57 ms
for one request of 512 spans, 0.27 ms each in a group).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import ptars
import pyarrow as pa
from google.protobuf.message import Message
from otlp_columns import otlp_columns_pb2

from agent import schema, services
from agent.arrays import Numbers, booleans_of, column_of, elements_of, ends_of, parents_of, sizes_of

_POOL = ptars.HandlerPool([otlp_columns_pb2.DESCRIPTOR])


class Undecodable(ValueError):
    """At least one payload of the group is not OTLP."""


class Repeating(Undecodable):
    """What one payload says once, for many records, would take too much room beside each of them."""


MAX_REPEATED = 64
"""Times its own bytes that a payload may take with what it says once for many, ``MAX_REPEATED_BYTES`` at most: a mebibyte of a
metric's name over 2,000 points is 2 GiB, and a kibibyte when compressed. A Resource of 2 KiB over 50 scopes takes 14 times."""

MAX_REPEATED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records come from: Resource and scope as wire bytes (None: absent), their schema URLs, and the service."""

    hash: int
    service_name: str
    resource: bytes | None
    resource_schema_url: str
    scope: bytes | None
    scope_schema_url: str


def origin_of(resource: bytes | None, resource_url: str, scope: bytes | None, scope_url: str) -> Origin | None:
    """The Origin of these parts, or None when the Resource's bytes are not a Resource; small ones are remembered."""
    if sum(map(len, (resource or b"", resource_url, scope or b"", scope_url))) > LONGEST_KEPT:
        return _origin_of(resource, resource_url, scope, scope_url)
    return _remembered_origin(resource, resource_url, scope, scope_url)


def _origin_of(resource: bytes | None, resource_url: str, scope: bytes | None, scope_url: str) -> Origin | None:
    digest = hashlib.blake2b(digest_size=8)
    for part in (resource, resource_url.encode(), scope, scope_url.encode()):
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    if max(map(len, (resource or b"", scope or b"", resource_url, scope_url))) > LARGEST_RESOURCE:
        return None
    try:
        name = services.service_name(resource)
    except ValueError:
        return None
    service = services.normal(name) or services.UNKNOWN_SERVICE
    if len(service.encode()) > LONGEST_SERVICE:
        return None
    return Origin(int.from_bytes(digest.digest(), "little"), service, resource, resource_url, scope, scope_url)


LARGEST_RESOURCE = 262_144
"""Bytes, of a scope too: parsed, one of nothing but empty attributes takes up to ninety times as many."""

LONGEST_SERVICE = 4096
"""Bytes of a service's name, which stands in every row."""

LONGEST_KEPT = 16_384
"""Bytes of an origin that is remembered: with 2,048 of them at most 32 MiB."""

_remembered_origin = lru_cache(maxsize=2048)(_origin_of)


@dataclass(frozen=True, slots=True)
class Flat:
    """Records of a group side by side.

    ``columns`` are the fields of the record message. ``request`` and ``scope`` say, per record, which payload it stood in
    and which entry of ``origins`` it belongs to; an entry is None when its Resource does not parse.
    """

    columns: pa.StructArray
    request: npt.NDArray[np.int64]
    scope: npt.NDArray[np.int64]
    origins: list[Origin | None]
    repeated: int = 0
    """Bytes that the payloads take with what they say once for many."""


def repeated(payloads: Sequence[bytes], request: Numbers, said: Numbers, times: Numbers) -> int:
    """Bytes that these payloads take when what is said once in each ``request`` stands beside all that it is said of.

    Raises:
        Repeating: too many for one of them.
    """
    taken = np.bincount(request, weights=np.multiply(said, times, dtype=np.int64), minlength=len(payloads))
    most = np.minimum([MAX_REPEATED * len(payload) for payload in payloads], MAX_REPEATED_BYTES)
    if (taken > most).any():
        raise Repeating("more than is held")
    return int(taken.sum())


def flatten(payloads: Sequence[bytes], message: type[Message]) -> Flat:
    """The records of all payloads.

    Args:
        payloads: requests of one signal, protobuf.
        message: the trimmed message of that signal's request.

    Raises:
        Undecodable: at least one payload is not OTLP; which one is not known.
        Repeating: a Resource has too many scopes for its size.
    """
    try:
        batch = _POOL.get_for_message(message.DESCRIPTOR).list_to_record_batch(list(payloads))
    except ValueError as error:
        raise Undecodable(str(error)) from error
    resources = batch.column(0)
    resource = elements_of(resources)
    scopes = resource.field(1)
    scope = elements_of(scopes)
    records = scope.field(1)
    said = sizes_of(resource.field(0)) + sizes_of(resource.field(2))
    request_of_resource, resource_of_scope, scope_of_record = (parents_of(lists) for lists in (resources, scopes, records))
    taken = repeated(payloads, request_of_resource, said, sizes_of(scopes))
    wires, urls = resource.field(0).to_pylist(), resource.field(2).to_pylist()
    of_scopes = zip(resource_of_scope.tolist(), scope.field(0).to_pylist(), scope.field(2).to_pylist(), strict=True)
    origins = [origin_of(wires[at], urls[at], wire, url) for at, wire, url in of_scopes]
    return Flat(elements_of(records), request_of_resource[resource_of_scope][scope_of_record], scope_of_record, origins, taken)


def entries(records: pa.StructArray) -> int:
    """How many attributes, events, links, points and the like are in lists of these records, lists in lists too.

    Numbers in lists, as a histogram's buckets, cost what they are: they are not counted.
    """
    lists = [records.field(index) for index in range(records.type.num_fields)]
    found = 0
    while lists:
        column = lists.pop()
        if pa.types.is_list(column.type) and not pa.types.is_primitive(column.type.value_type):
            found += len(column.values)
            lists.append(column.values)
        elif pa.types.is_struct(column.type):
            lists += column.flatten()
    return found


def origins_batch(origins: Sequence[Origin]) -> pa.RecordBatch:
    """Origins as rows of ``schema.ORIGINS``."""
    names = schema.ORIGINS.names
    return pa.RecordBatch.from_pydict({n: [getattr(o, n) for o in origins] for n in names}, schema=schema.ORIGINS)


def all_of_length(ids: pa.Array, length: int) -> bool:
    """Whether every id has this length: a look at the offsets, twenty times faster than measuring each."""
    ends = ends_of(ids)
    return bool((ends[1:] - ends[:-1] == length).all())


def word_values(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """The 64-bit little-endian words of ids whose lengths are multiples of eight, one after another."""
    ends = ends_of(ids)
    count = int(ends[-1] - ends[0]) // 8
    return np.frombuffer(ids.buffers()[2], "<u8", count, int(ends[0])) if count else np.zeros(0, np.uint64)


def words(ids: pa.Array) -> pa.Array:
    """``word_values`` as a column."""
    return column_of(word_values(ids), pa.uint64())


def halves(ids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The first and the second eight bytes of sixteen-byte ids, as words."""
    both = word_values(ids)
    return column_of(both[0::2], pa.uint64()), column_of(both[1::2], pa.uint64())


def optional_words(ids: pa.Array) -> pa.Array:
    """Ids of eight bytes, or none, or null as words; null where there is none."""
    if ids.null_count:  # what lies under a null may be of any length
        fixed = ids.cast(pa.binary(8))
        return pa.Array.from_buffers(pa.uint64(), len(fixed), fixed.buffers(), offset=fixed.offset)
    ends = ends_of(ids)
    present = ends[1:] - ends[:-1] == 8
    if present.all():
        return words(ids)
    values = np.zeros(len(ids), np.uint64)
    values[present] = word_values(ids)
    return column_of(values, pa.uint64(), present)


def origin_columns(flat: Flat) -> dict[str, pa.Array]:
    """The columns every signal has from its origin: ``origin`` and ``service_name``."""
    hashes = np.array([origin.hash if origin else 0 for origin in flat.origins], np.uint64)
    names = pa.array([origin.service_name if origin else "" for origin in flat.origins], pa.string())
    return {"origin": column_of(hashes[flat.scope], pa.uint64()), "service_name": names.take(column_of(flat.scope, pa.int64()))}


def times(column: pa.Array) -> pa.Array:
    """OTLP's unsigned times as signed nanoseconds; every one must be at most ``LATEST_NS``."""
    return column.view(pa.int64())


LATEST_NS = 2**63 - 1
"""Times are signed inside: a later one (after the year 2262) is refused rather than wrapped."""


def rows_of(schema_: pa.Schema, filled: dict[str, pa.Array], column: Callable[[str], pa.Array]) -> pa.RecordBatch:
    """The columns of a table but for ``schema.ADDED``: those ``filled``, the others by the record field of the same name."""
    names = [name for name in schema_.names if name not in schema.ADDED]
    return pa.RecordBatch.from_arrays([filled[n] if n in filled else column(n) for n in names], names=names)


def valid_words(ids: pa.Array, count: int) -> list[pa.Array]:
    """The ``count`` words of each id, a column each; null where an id has another length or is all zeros."""
    sizes = sizes_of(ids)
    present = sizes == count * 8
    are_alike = not ids.null_count and bool((present | (sizes == 0)).all())
    values = word_values(ids if are_alike else ids.filter(booleans_of(present)))
    each = np.zeros((count, len(ids)), np.uint64)
    each[:, present] = values.reshape(-1, count).T
    valid = np.bitwise_or.reduce(each) != 0
    return [column_of(one, pa.uint64(), None if valid.all() else valid) for one in each]
