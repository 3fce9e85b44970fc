"""The command scrub-explain: a sample from a file or standard input, findings as a table or JSON, the hit itself never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.commands import commands

SAMPLE = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {"body": {"stringValue": "mail to ada@example.com"}},
                        {"attributes": [{"key": "app.tenant", "value": {"stringValue": "t-12345678901"}}]},
                    ]
                }
            ]
        }
    ]
}
TEXT = json.dumps(SAMPLE)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CORAL_AGENT__STORE__DIR", str(tmp_path))


def run(*words: str, text: str | bytes = "") -> Result:
    return CliRunner().invoke(commands, ["scrub-explain", *words], input=text, env={"COLUMNS": "160"})


def test_a_file_and_standard_input_say_the_same():
    Path("sample.json").write_text(TEXT)
    from_file, piped = run("sample.json"), run(text=TEXT)
    assert from_file.exit_code == 0
    assert from_file.stdout == piped.stdout
    assert "resourceLogs[0].scopeLogs[0].logRecords[0].body" in piped.stdout
    assert "email (mask)" in piped.stdout
    assert "mail to [REDACTED:email]" in piped.stdout
    assert "1 places hit, profile default" in piped.stdout
    assert "ada@" not in piped.stdout


def test_json_names_rules_of_the_configuration_as_well():
    Path("rules.toml").write_text('[[scrub.rules]]\nname = "tenant"\nmode = "partial"\nkeys = ["app.tenant"]\n')
    answer = json.loads(run("-o", "json", "--config", "rules.toml", text=TEXT).stdout)
    assert answer["findings"][1] == {
        "path": 'resourceLogs[0].scopeLogs[0].logRecords[1].attributes["app.tenant"]',
        "key": "app.tenant",
        "rules": [{"rule": "tenant", "mode": "partial"}],
        "leaves": "[REDACTED:tenant:8901]",
    }


def test_a_sample_may_hold_a_request_on_each_line():
    assert "2 places hit" in run(text=f"{TEXT}\n{TEXT}\n").stdout


def test_nothing_hit_and_nothing_scrubbed_are_said():
    assert "no rule hits anything, profile default" in run(text='{"resourceSpans": []}').stdout
    Path("off.toml").write_text('[scrub]\nprofile = "off"\n')
    assert "scrub.profile is off" in run("--config", "off.toml", text=TEXT).stdout


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ((), "x", "the sample is not JSON"),
        ((), "[]", "the sample has not one of resourceSpans"),
        ((), '{"resourceSpans": 5}', "resourceSpans"),
        (("no.json",), "", "no.json: No such file or directory"),
        (("--config", "bad.toml"), TEXT, "scrub.rules[0].name: missing"),
        ((), b" " * ((16 << 20) + 1), "more than 16 MiB"),
    ],
)
def test_what_cannot_be_read_ends_with_2_and_what_would_be_right(words, text, expected):
    Path("bad.toml").write_text("[[scrub.rules]]\nmode = 'mask'\nkeys = ['a']\n")
    result = run(*words, text=text)
    assert result.exit_code == 2
    assert expected in result.stderr


def test_the_agents_own_key_makes_the_pseudonyms_shown():
    sample = json.dumps({"resourceSpans": [{"resource": {"attributes": [{"key": "user.id", "value": {"stringValue": "7"}}]}}]})
    key = Path("hmac.key")
    assert run("-o", "json", text=sample).stdout != run("-o", "json", text=sample).stdout
    key.write_bytes(b"k" * 32)
    assert run("-o", "json", text=sample).stdout == run("-o", "json", text=sample).stdout
