"""Load shapes: what the requests of a benchmark look like. Two always, the usual and the adversarial.

usual: 512 spans of one SDK's batch, 12 attributes a span, 8 on the Resource, one event on every fifth span, 64 interleaved
traces of eight spans with parents. Methods, routes and statuses repeat as they do in life; ids, times, durations, paths,
sizes and request ids are new in every request.
adversarial: as many spans, attributes and events, but every value is a new text of 160 characters, every span a trace of its
own, every name another and every request a Resource of its own. Log records (six attributes) and data points (three) likewise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from bench.records import log_request, point_request
from bench.sheet import Sheet, resource
from bench.template import Piece, Template, message
from bench.traces import trace_request

SENDERS = 16
"""Templates: eight services with two instances each, whose requests take turns."""

SHAPES = ("usual", "adversarial")
SIGNALS: dict[str, Callable[[Sheet, int, str], tuple[list[Piece], int]]] = {
    "traces": trace_request,
    "logs": log_request,
    "metrics": point_request,
}
"""Who writes a sender's records; the envelope is the same for all."""


def template(signal: str, shape: str, sender: int) -> Template:
    """The request of one sender."""
    sheet = Sheet(random.Random(f"{shape} {sender}"))
    records, count = SIGNALS[signal](sheet, sender, shape)
    envelope = message(1, *message(1, *resource(sheet, sender, shape)), *records)
    return Template(envelope, count, sheet.offsets_ns, sheet.long_after)


@dataclass(slots=True)
class Requests:
    """Requests of one signal and shape, no two alike; ``seed`` keeps two clients apart."""

    signal: str
    shape: str
    seed: int
    templates: list[Template] = field(init=False)

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"shape {self.shape!r}; it must be one of {', '.join(SHAPES)}")
        self.templates = [template(self.signal, self.shape, sender) for sender in range(SENDERS)]

    @property
    def records(self) -> int:
        """The records of one request."""
        return self.templates[0].records

    def at(self, times_ns: Iterable[int]) -> Iterator[tuple[bytes, bytes]]:
        """One request for each time, with the id of a trace in it."""
        dice = random.Random(self.seed)
        for turn, now_ns in enumerate(times_ns):
            yield self.templates[turn % SENDERS].copy(dice, now_ns)
