"""The document explains every instrument of the colony, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from colony.instruments import Instruments

DOCUMENT = Path(__file__).parents[2] / "docs/colony.md"
_ROW = re.compile(r"^\| `(coral_colony_\w+)` \| (\w+) \| ([^|]*)\| ([^|]+)\|", re.MULTILINE)


def test_the_document_explains_every_instrument_and_no_other():
    made = [value for value in vars(Instruments(CollectorRegistry())).values() if isinstance(value, MetricWrapperBase)]
    expected = {
        (f"{one._name}_total" if one._type == "counter" else one._name): (one._type, list(one._labelnames)) for one in made
    }

    explained = _ROW.findall(DOCUMENT.read_text())

    assert expected == {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels, _ in explained}
    assert len(explained) == len(made) == len(list(Instruments(CollectorRegistry()).registry.collect()))
