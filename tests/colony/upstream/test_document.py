"""``docs/upstreams.md``: each behaviour names a test that exists, each key is one of the model's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colony.config.upstream import Upstream

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/upstreams.md").read_text()
BEHAVIOURS = re.findall(
    r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", TEXT.partition("## Behaviours")[2].partition("## Trouble")[0], re.MULTILINE
)[1:]
FILES = {"flow": "tests/flow/test_upstreams.py"}


def named_in(name: str) -> set[str]:
    path = ROOT / FILES.get(name, f"tests/colony/upstream/test_{name}.py")
    return set(re.findall(r"^def test_(\w+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize(("behaviour", "shown"), BEHAVIOURS, ids=[one.strip()[:30] for one, _ in BEHAVIOURS])
def test_each_behaviour_names_a_test(behaviour, shown):
    file = ""
    parts = re.findall(r"(`[^`]+`|[a-z]+)", shown)
    assert parts, behaviour
    for part in parts:
        if not part.startswith("`"):
            file = part
            assert named_in(file)
            continue
        wanted = part.strip("`").removesuffix("…")
        assert any(name.startswith(wanted) for name in named_in(file)), f"{file}: {wanted}"


def test_the_table_of_keys_is_the_models():
    table = re.findall(r"^\| (`[a-z_`, ]+`) \|([^|]*)\|", TEXT.partition("## What a model sees")[0], re.MULTILINE)
    told = [name.strip("` ") for names, _ in table for name in names.split(",")]
    assert sorted(Upstream.model_fields) == sorted(told)
    for names, default in table:
        field = Upstream.model_fields[names.split(",")[0].strip("` ")]
        if default.strip() and default.strip() != "none":
            expected = field.default if isinstance(field.default, str | int) else list(field.default)
            shown = default.strip().strip("`").strip('"')
            assert shown in (str(field.default), str(expected), "{}" if field.default == {} else "")
