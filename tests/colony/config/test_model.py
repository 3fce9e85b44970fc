"""The colony's configuration: sources and their order, refusals that say it all, and documents that cannot drift."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from colony import errors
from colony.config.keys import effective_toml, keys_of, reference_table, sample_toml
from colony.config.model import Config
from colony.endpoint import Endpoint

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "colony.toml") -> Path:
    path = Path(name).absolute()
    path.write_text(text)
    return path


def refusal(file: str = "", environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(errors.ConfigError) as refused:
        Config.load(written(file), environ or {})
    return refused.value.message


def test_nothing_said_is_the_defaults_and_the_agent_of_this_machine():
    config = Config.load(None, dict(os.environ))

    assert config == Config()
    assert config.agents.listed == (Endpoint("127.0.0.1", 4319),)
    assert (str(config.agents.deadline), str(config.agents.poll), str(config.cache.ttl)) == ("2s", "15s", "30s")


def test_environment_counts_more_than_file_and_lists_are_comma_separated():
    file = written('[agents]\nstatic = ["127.0.0.1:1"]\npoll = "5s"\ndeadline = "1s"\n')
    environ = {"CORAL_COLONY__AGENTS__STATIC": "127.0.0.1:2, [::1]:3", "CORAL_COLONY__AGENTS__POLL": "6s"}

    agents = Config.load(file, environ).agents

    assert agents.listed == (Endpoint("127.0.0.1", 2), Endpoint("::1", 3))
    assert (str(agents.poll), str(agents.deadline)) == ("6s", "1s")


def test_with_a_name_or_a_file_nobody_else_is_listed():
    assert Config.load(written('[agents]\ndns = "agents.coral.svc:4319"'), {}).agents.listed == ()
    assert Config.load(written('[agents]\nfile = "agents"'), {}).agents.listed == ()


def test_state_goes_where_the_given_environment_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert Config.load(None, {"XDG_STATE_HOME": "/state"}).summaries.dir == Path("/state/coral-colony")


ONE_PROBLEM = [
    ("[agents]\npoll = 15", "agents.poll = 15: a number has no unit"),
    ('[agents]\nstatic = ["here"]', 'agents.static = "here": write HOST:PORT'),
    ('[agents]\nstatic = ["10.0.0.1:4319"]', 'agents.static = "10.0.0.1:4319": off this machine without agents.tls'),
    ('[agents]\ndns = "agents"', 'agents.dns = "agents": write HOST:PORT'),
    ('[agents]\ndns = "unix:///a"', "agents.dns = \"unix:///a\": write HOST:PORT, like agents.coral.svc:4319"),
    ("[agents]\nmax_in_flight = 0", "agents.max_in_flight = 0: write at least 1"),
    (f'[agents.tls]\ncert_file = "{__file__}"\nkey_file = "{__file__}"', "agents.tls.ca_file: missing; the keys of agents.tls"),
    ('[cache]\nmax_bytes = "1KiB"', 'cache.max_bytes = "1KiB": write at least "64KiB"'),
    ('[summaries]\nretention = "1m"', 'summaries.retention = "1m": write at least "1h"'),
    ('[log]\nlevel = "loud"', 'log.level = "loud": write "debug", "info", "warning" or "error"'),
    ('[agents]\npol = "secret"', "agents.pol: unknown key; did you mean agents.poll?"),
    ('[mcpp]\nendpoint = "secret"', "mcpp: unknown key"),
    ('[mcp]\nanswer_tokens = 10001', "mcp.answer_tokens = 10001: write at most 10000"),
    ('[mcp]\nendpoint = "10.0.0.1:4321"', "mcp.endpoint = \"10.0.0.1:4321\": off this machine anyone could ask"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "said"), ONE_PROBLEM)
def test_what_cannot_be_is_refused_in_one_line_by_key_value_and_what_is_right(file: str, said: str):
    message = refusal(file)

    assert said in message
    assert "\n" not in message
    assert "secret" not in message


def test_all_problems_are_told_at_once_and_unknown_names_are_refused():
    message = refusal('[cache]\nx = 2\n[log]\nlevel = "loud"', {"CORAL_COLONY__AGENTS__POL": "1"})

    first, *problems = message.splitlines()
    assert first.startswith("3 problems in ")
    assert [line.split()[0].rstrip(":") for line in problems] == ["CORAL_COLONY__AGENTS__POL", "cache.x", "log.level"]
    assert "did you mean CORAL_COLONY__AGENTS__POLL?" in problems[0]


def test_every_key_says_its_meaning_and_takes_its_default_back():
    assert all(key.field.description for key in keys_of(Config))
    assert Config.model_validate(tomllib.loads(effective_toml(Config()))) == Config()


def test_the_sample_file_holds_every_key_with_its_default():
    text = (REPOSITORY / "deploy/colony.toml").read_text()

    assert text.endswith(sample_toml(Config()))
    assert Config.load(REPOSITORY / "deploy/colony.toml", dict(os.environ)) == Config()


def test_the_reference_lists_every_key_as_the_model_has_it():
    assert "\n" + reference_table(Config()) in (REPOSITORY / "docs/colony.md").read_text()


UPSTREAM_PROBLEMS = [
    ('name = "Tempo"\nurl = "http://x"', 'upstream[0].name = "Tempo": write up to 24 of a-z'),
    ('name = "a"', "upstream[0]: write url or command, one of them"),
    ('name = "a"\nurl = "ftp://x"', "upstream[0].url: write a URL, like https://tempo.example.com"),
    ('name = "a"\nurl = "http://me:secret@x"', "upstream[0].url: write it without user and password"),
    ('name = "a"\nurl = "http://x"\ndatasource = "d"', 'upstream[0]: datasource is for kind = "grafana"'),
    ('name = "a"\ncommand = ["x"]\nbearer_token_env = "T"', "upstream[0]: a command has no headers and no token"),
    ('name = "a"\nurl = "http://x"\nheaders = {Host = "secret"}', "upstream[0].headers.Host.[key]: write the name of a header"),
    (
        'name = "a"\nurl = "http://x"\nheaders = {A = "secret\\u0001"}',
        "upstream[0].headers.A: write a text of ASCII characters",
    ),
    ('name = "a"\nurl = "http://x"\ndeadline = "1"', 'upstream[0].deadline = "1"'),
    ('name = "a"\nurl = "http://x"\n[[upstream]]\nname = "a"\nurl = "http://y"', 'upstream: two are named "a"'),
    ('name = "a"\nurl = "http://x"\nsecret_token = "secret"', "upstream[0].secret_token: unknown key"),
]


@pytest.mark.parametrize(("table", "said"), UPSTREAM_PROBLEMS)
def test_a_table_of_an_upstream_is_refused_by_its_place_and_shows_no_secret(table: str, said: str):
    message = refusal(f"[[upstream]]\n{table}\n")

    assert said in message
    assert "\n" not in message
    assert '= "secret' not in message.replace("secret_token", "")


def test_upstreams_come_from_the_file_or_from_the_environment_as_json_and_check_hides_headers():
    file = written(
        '[[upstream]]\nname = "tempo"\nkind = "tempo"\nurl = "http://x"\nheaders = {X-Scope-OrgID = "acme", B = "env:B"}\n'
    )
    config = Config.load(file, {})

    (upstream,) = config.upstream
    assert (upstream.name, upstream.kind, str(upstream.deadline), upstream.max_in_flight) == ("tempo", "tempo", "10s", 8)
    assert upstream.headers["X-Scope-OrgID"].said == "acme"
    assert 'headers = {X-Scope-OrgID = "***", B = "env:B"}' in effective_toml(config)
    environ = {"CORAL_COLONY__UPSTREAM": '[{"name": "other", "url": "http://y"}]'}
    assert [one.name for one in Config.load(file, environ).upstream] == ["other"]
    assert "not a list of tables" in refusal("", {"CORAL_COLONY__UPSTREAM": "tempo"})
