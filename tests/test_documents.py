"""The documents say what is there: links lead somewhere, every decision is listed, every instrument is explained."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from agent.instruments import Instruments

ROOT = Path(__file__).parent.parent
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARTS = ["Status", "Context", "Decision", "Consequences", "Alternatives"]

_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_INSTRUMENT = re.compile(r"^\| `(coral_agent_\w+)` \| (\w+) \| ([^|]*)\| ([^|]+)\|", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """A document without its code blocks."""
    return _FENCED.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(path):
    for link in _LINK.findall(prose(path)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_a_table_has_as_many_cells_in_every_row(path):
    lines = prose(path).splitlines()
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert cells(above) == cells(line), line


def cells(line: str) -> int:
    return line.count("|") - line.count("\\|")


def test_the_index_lists_every_decision_in_order_under_its_title():
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in DECISIONS]
    expected = [f"{title.partition('. ')[2]}]({path.name})" for title, path in zip(titles, DECISIONS, strict=True)]

    assert [title.partition(".")[0] for title in titles] == [str(number) for number in range(1, len(titles) + 1)]
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(titles) + 1)]
    assert re.findall(r"^\| \d+ \| \[(.+\)) \|$", (ROOT / "docs/adr/README.md").read_text(), re.MULTILINE) == expected


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_a_decision_has_its_five_parts_and_fits_a_page(path):
    text = path.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert len(text.splitlines()) <= 60


def instruments() -> Iterator[MetricWrapperBase]:
    for value in vars(Instruments(CollectorRegistry())).values():
        for one in value.values() if isinstance(value, dict) else [value]:
            if isinstance(one, MetricWrapperBase):
                yield one


def test_operations_explains_every_instrument_and_no_other():
    expected = {
        (f"{instrument._name}_total" if instrument._type == "counter" else instrument._name): (
            instrument._type,
            list(instrument._labelnames),
        )
        for instrument in instruments()
    }
    registered = Instruments(CollectorRegistry()).registry.collect()

    explained = _INSTRUMENT.findall((ROOT / "docs/operations.md").read_text())

    assert len(expected) == len(list(registered)), "an instrument that no attribute of Instruments holds"
    assert len(explained) == len(expected)
    assert expected == {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels, _ in explained}


def test_the_readme_begins_with_the_two_commands():
    beginning = "\n".join((ROOT / "README.md").read_text().splitlines()[:15])
    assert "make run" in beginning
    assert "make test" in beginning


def test_the_readme_lists_every_document_and_stays_short():
    readme = (ROOT / "README.md").read_text()
    listed = {link.partition("#")[0] for link in _LINK.findall(readme)}
    assert {relative(path) for path in (ROOT / "docs").glob("*.md")} <= listed
    assert "docs/adr/README.md" in listed
    assert len(readme.splitlines()) < 150
