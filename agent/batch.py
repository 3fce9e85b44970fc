"""What moves through the house: an Export as it came in, a Batch of columns, and the Receipt that answers it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa  # the command line names signals and would wait for Arrow and NumPy


class Signal(enum.StrEnum):
    """One of OTLP's signals; the value is OTLP's own word in paths and service names."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Export:
    """One OTLP request: its protobuf bytes, decompressed, and how many records stand in them.

    ``records`` comes from ``decode.limits.count_records``; it is the size of the request before anything is parsed.
    """

    signal: Signal
    payload: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an Export: how many records are kept, how many were refused and why.

    ``refused`` maps a reason from a fixed list (a Prometheus label) to a count. ``message`` is for the sender: reasons and
    what would be right, never telemetry. A message without refusals is a warning.
    ``again`` marks the first reply to a request that came before: nothing is counted twice.
    """

    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    message: str = ""
    again: bool = False

    @property
    def rejected(self) -> int:
        """How many records of the export are not kept."""
        return sum(self.refused.values())


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one signal from one or more Exports, as Arrow (``schema.py`` says which columns).

    ``rows`` has every column but ``schema.ADDED``, which the store adds. ``origins`` holds the Resource, scope and schema URLs
    the rows refer to, by content hash.
    """

    signal: Signal
    rows: pa.RecordBatch
    origins: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Decoded:
    """A group of Exports after decoding: at most one Batch, and one Receipt (or the error) per Export, in order.

    ``skewed`` says how many of the rows have times far from their arrival: "ahead" of it or "behind".
    """

    batch: Batch | None
    receipts: list[Receipt | Exception]
    skewed: Mapping[str, int] = field(default_factory=dict)
