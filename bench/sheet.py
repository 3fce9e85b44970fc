"""One request being written by hand: its dice, its holes, its moments, and what every signal has: attributes, a Resource."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.template import Hole, Kind, Piece, message, number

LONG = 160
"""Characters of an adversarial text."""

SERVICES = ("checkout", "cart", "payment", "inventory", "shipping", "catalog", "accounts", "gateway")

Value = str | int | bool | Hole | Sequence[Piece]


@dataclass(slots=True)
class Sheet:
    """One template being written: its dice, its holes, its moments."""

    dice: random.Random
    counts: dict[tuple[Kind, int], int] = field(default_factory=dict)
    offsets_ns: list[int] = field(default_factory=list)
    long_after: dict[int, int] = field(default_factory=dict)

    def hole(self, kind: Kind, size: int) -> Hole:
        taken = self.counts.get((kind, size), 0)
        self.counts[kind, size] = taken + 1
        return Hole(kind, size, taken)

    def moment(self, offset_ns: int) -> Hole:
        self.offsets_ns.append(offset_ns)
        return self.hole(Kind.TIME, 8)

    def end(self, begin: Hole) -> Hole:
        hole = self.moment(0)
        self.long_after[hole.number] = begin.number
        return hole

    def pick(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def host(self) -> str:
        return f"10.{self.dice.randrange(4)}.{self.dice.randrange(256)}.{self.dice.randrange(256)}"


def _any_value(value: Value) -> list[Piece]:
    if isinstance(value, bool):
        return number(2, int(value))
    if isinstance(value, int):
        return number(3, value)
    if isinstance(value, Hole) and value.kind is Kind.VARINT:
        return [b"\x18", value]
    return message(1, *text_of(value))


def text_of(value: str | Hole | Sequence[Piece]) -> Sequence[Piece]:
    if isinstance(value, str):
        return [value.encode()]
    return [value] if isinstance(value, Hole) else value


def attribute_list(tag: int, attributes: dict[str, Value]) -> list[Piece]:
    """KeyValues."""
    written: list[Piece] = []
    for key, value in attributes.items():
        written += message(tag, *message(1, key.encode()), *message(2, *_any_value(value)))
    return written


def resource(sheet: Sheet, sender: int, shape: str) -> list[Piece]:
    service = SERVICES[sender % len(SERVICES)]
    instance = f"{service}-{sender:02d}"
    attributes: dict[str, Value] = {
        "service.name": service,
        "service.version": "2026.11.3",
        "service.instance.id": instance,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": "1.45.1",
        "k8s.pod.name": f"{instance}-6f9c7d5b4-x2x7k",
        "host.name": "node-17.eu-central-1.internal",
    }
    if shape == "adversarial":
        attributes |= {key: sheet.hole(Kind.TEXT, LONG) for key in attributes if key != "service.name"}
    return attribute_list(1, attributes)
