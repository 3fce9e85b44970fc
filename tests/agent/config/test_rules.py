"""The operator's own scrub rules: TOML or JSON in, every mistake named by its entry, its key, its value and what would be right."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent.config.keys import effective_toml
from agent.config.model import MAX_RULES, Config
from agent.errors import ConfigError

GOOD = r"""
[[scrub.rules]]
name = "customer"
mode = "partial"
pattern = 'C-[0-9]{8}'

[[scrub.rules]]
name = "tenant"
mode = "hmac"
keys = ["app.tenant", "app.account.*"]
signals = ["traces"]
places = ["attributes"]
"""


def load(text: str, environ: dict[str, str] | None = None) -> Config:
    file = Path("rules.toml")
    file.write_text(text)
    return Config.load(file, environ or {})


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refusal(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(text, environ)
    return raised.value.message


def test_rules_are_read_from_toml_and_printed_as_toml_that_reads_back():
    config = load(GOOD)

    assert [(rule.name, rule.mode, rule.pattern, rule.keys) for rule in config.scrub.rules] == [
        ("customer", "partial", "C-[0-9]{8}", ()),
        ("tenant", "hmac", None, ("app.tenant", "app.account.*")),
    ]
    assert tomllib.loads(effective_toml(config))["scrub"]["rules"][1] == {
        "name": "tenant",
        "mode": "hmac",
        "keys": ["app.tenant", "app.account.*"],
        "signals": ["traces"],
        "places": ["attributes"],
    }


def test_rules_are_read_from_the_environment_as_json():
    environ = {"CORAL_AGENT__SCRUB__RULES": '[{"name": "a", "mode": "mask", "pattern": "x,y"}]'}

    assert load(GOOD, environ).scrub.rules[0].pattern == "x,y"
    for wrong in ("name=a", '{"name": "a"}'):
        said = refusal("", {"CORAL_AGENT__SCRUB__RULES": wrong})
        assert said.startswith("CORAL_AGENT__SCRUB__RULES: not a list of tables; write JSON, like [")
    said = refusal("", {"CORAL_AGENT__SCRUB__RULES": '[{"name": "a", "mode": "mask", "pattern": "("}]'})
    assert said.startswith('scrub.rules[0].pattern = "(" (CORAL_AGENT__SCRUB__RULES): ')


BAD = [
    ("mode = 'mask'\nkeys = ['a']", "scrub.rules[0].name: missing; an entry of scrub.rules needs it"),
    ("name = 'A b'\nmode = 'mask'\nkeys = ['a']", 'scrub.rules[0].name = "A b": write a name of a-z, 0-9 and _'),
    ("name = 'a'\nmode = 'hash'\nkeys = ['a']", 'scrub.rules[0].mode = "hash": write "drop", "mask", "partial", "hmac"'),
    ("name = 'a'\nmode = 'mask'", "scrub.rules[0]: it looks for nothing; write a pattern, or keys, or both"),
    ("name = 'a'\nmode = 'mask'\npattern = '(?=x)'", 'scrub.rules[0].pattern = "(?=x)": invalid perl operator: (?='),
    ("name = 'a'\nmode = 'mask'\npattern = '(a)\\1'", "write a pattern that RE2 knows: no look-around, no back-references"),
    ("name = 'a'\nmode = 'mask'\npattern = 'a{2000}'", "invalid repetition size"),
    ("name = 'a'\nmode = 'mask'\npattern = 'a*'", "it matches nothing at all everywhere"),
    ("name = 'a'\nmode = 'mask'\npattern = ''", "write a pattern of 1 to 1000 characters"),
    ("name = 'a'\nmode = 'mask'\nkeys = ['a.*.b']", "a * in keys stands for the end of a key only"),
    ("name = 'a'\nmode = 'mask'\nkeys = 'a'", 'scrub.rules[0].keys = "a": write a list'),
    ("name = 'a'\nmode = 'mask'\nkeys = ['a']\nsignals = ['spans']", 'write "traces", "metrics" or "logs"'),
    ("name = 'a'\nmode = 'mask'\nkeys = ['a']\nplaces = ['names']", 'write "attributes", "body" or "text"'),
    ("name = 'a'\nmode = 'mask'\nregex = 'x'", "scrub.rules[0].regex: unknown key"),
]


@pytest.mark.parametrize(("rule", "expected"), BAD)
def test_a_bad_rule_is_refused_by_its_entry(rule, expected):
    assert expected in refusal(f"[[scrub.rules]]\n{rule}")


def test_the_second_of_two_bad_rules_is_named_as_such():
    text = "[[scrub.rules]]\nname = 'a'\nmode = 'mask'\nkeys = ['a']\n[[scrub.rules]]\nname = 'b'\nmode = 'mask'\npattern = '['"
    assert "scrub.rules[1].pattern" in refusal(text)
    assert "line 5" in refusal(text)


def test_two_rules_of_one_name_and_too_many_are_refused():
    rule = "[[scrub.rules]]\nname = '{}'\nmode = 'mask'\nkeys = ['a']\n"
    assert 'scrub.rules: two are named "a"; write another name for one' in refusal(rule.format("a") * 2)
    many = "".join(rule.format(f"a{n}") for n in range(MAX_RULES + 1))
    assert f"write at most {MAX_RULES}" in refusal(many)


def test_a_bad_pattern_says_nothing_on_standard_error(capfd):
    refusal("[[scrub.rules]]\nname = 'a'\nmode = 'mask'\npattern = '('")
    assert capfd.readouterr().err == ""
