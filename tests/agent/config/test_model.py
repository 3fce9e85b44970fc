"""The configuration: sources and their order, refusals that say it all, and documents that cannot drift."""

from __future__ import annotations

import os
import socket
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent import errors
from agent.config.keys import effective_toml, keys_of, reference_table, sample_toml
from agent.config.model import Config

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "agent.toml") -> Path:
    path = Path(name).absolute()
    path.write_text(text)
    return path


def refusal(file: str = "", environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(errors.ConfigError) as refused:
        Config.load(written(file), environ or {})
    return refused.value.message


def test_nothing_said_is_the_defaults():
    config = Config.load(None, dict(os.environ))

    assert config == Config()
    assert config.agent.id == socket.gethostname()
    assert (str(config.store.retention), config.store.retention.ns) == ("1h", 3_600_000_000_000)
    assert config.query.max_reply_bytes == 4 << 20
    assert str(config.otlp.grpc.endpoint) == "127.0.0.1:4317"
    assert config.otlp.grpc.max_recv_msg_bytes == 64 << 20
    assert config.query.tls is None


def test_the_defaults_alone_do_not_read_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CORAL_AGENT__STORE__RETENTION", "30m")
    monkeypatch.setenv("agent", "{}")

    assert str(Config().store.retention) == "1h"


def test_environment_counts_more_than_file_and_file_more_than_default():
    file = written('[store]\nretention = "2h"\nsegment = "10m"\n')

    store = Config.load(file, {"CORAL_AGENT__STORE__RETENTION": "30m"}).store

    assert (str(store.retention), str(store.segment), store.threads) == ("30m", "10m", 1)


def test_an_override_counts_more_than_the_environment(tmp_path: Path):
    config = Config.load(None, {"CORAL_AGENT__STORE__DIR": "/elsewhere"}, {"store": {"dir": Path("here")}})

    assert config.store.dir == tmp_path / "here"


def test_lists_from_the_environment_are_comma_separated_and_tables_json():
    config = Config.load(
        None,
        {"CORAL_AGENT__AGENT__SERVICES": "a, b,", "CORAL_AGENT__STORE": '{"retention": "2h", "threads": 2}',
         "CORAL_AGENT__STORE__THREADS": "3"},
    )  # fmt: skip

    assert config.agent.services == ("a", "b")
    assert (str(config.store.retention), config.store.threads) == ("2h", 3)


@pytest.mark.parametrize("text", ["not json", "[1]"])
def test_a_table_from_the_environment_that_is_none_is_refused(text: str):
    assert refusal("", {"CORAL_AGENT__STORE": text}).startswith("CORAL_AGENT__STORE: not a table; write JSON")


def test_state_goes_where_the_given_environment_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert Config.load(None, {"XDG_STATE_HOME": "/state"}).store.dir == Path("/state/coral-agent")


def test_the_file_is_the_given_one_or_the_environments_or_the_one_that_lies_here():
    given, named = written('[agent]\nid = "given"', "g.toml"), written('[agent]\nid = "named"', "n.toml")
    written('[agent]\nid = "here"', "coral-agent.toml")
    environ = {"CORAL_AGENT_CONFIG": str(named)}

    ids = [Config.load(path, env).agent.id for path, env in ((given, environ), (None, environ), (None, {}))]

    assert ids == ["given", "named", "here"]


@pytest.mark.parametrize(("path", "environ"), [(Path("no.toml"), {}), (None, {"CORAL_AGENT_CONFIG": "no.toml"})])
def test_a_file_that_was_named_must_exist(path: Path | None, environ: Mapping[str, str]):
    with pytest.raises(errors.ConfigError, match=r'"no.toml": no such file'):
        Config.load(path, environ)


def test_what_is_not_toml_is_refused_with_its_place():
    message = refusal("[store\n")

    assert "not TOML" in message
    assert "line 1" in message


TLS = f'[otlp.{{}}.tls]\ncert_file = "{__file__}"\nkey_file = "{__file__}"\nmin_version = {{}}'


ONE_PROBLEM = [
    ("[store]\nretention = 300", 'store.retention = 300: a number has no unit'),
    ('[store]\nretention = "5x"', 'store.retention = "5x": write a number and a unit'),
    ('[store]\nretention = "10ms"\nsegment = "1s"', 'store.retention = "10ms": write at least "1s"'),
    ('[store]\nmax_bytes = "8GB"', 'store.max_bytes = "8GB": write a number and a unit of B, KiB'),
    ("[store]\nthreads = 0", "store.threads = 0: write at least 1"),
    ("[store]\nthreads = 1.5", 'store.threads = "1.5": write a whole number'),
    ('[store]\nsegment = "2h"', 'store.segment = "2h": longer than store.retention = "1h"; write at most "1h"'),
    ("store = 5", "store: write a table"),
    ('[query]\nendpoint = "0.0.0.0:4319"', 'query.endpoint = "0.0.0.0:4319": off this machine without query.tls'),
    ('[query]\nallowed_peers = ["spiffe://coral/*/x"]', 'query.allowed_peers = "spiffe://coral/*/x": write SPIFFE ids'),
    ('[query]\nallowed_peers = "a"', 'query.allowed_peers = "a": write a list'),
    ('[scrub]\nstage = "x"', 'scrub.stage = "x": write "query" or "ingest"'),
    ('[scrub]\nprofile = "lax"', 'scrub.profile = "lax": write "default", "strict" or "off"'),
    ('[log]\nlevel = "loud"', 'log.level = "loud": write "debug", "info", "warning" or "error"'),
    ('[admin]\nendpoint = ":4320"', 'admin.endpoint = ":4320": write the host too'),
    ('[admin]\nendpoint = "127.0.0.1:4318"', 'admin.endpoint = "127.0.0.1:4318": also otlp.http.endpoint'),
    ('[otlp.grpc]\nendpoint = ""\n[otlp.http]\nendpoint = ""', "nothing would be received; write an address for one"),
    ('[otlp.grpc]\nendpoint = ":4317"', 'otlp.grpc.endpoint = ":4317": write the host too'),
    ("[otlp.grpc]\nendpoint = false", 'or "" for none'),
    ('[otlp.http]\nlogs_url_path = "v1/traces"', "two signals on one path"),
    ('[otlp.http]\nlogs_url_path = "/{x}"', 'otlp.http.logs_url_path = "/{x}": write a path of letters'),
    ('[otlp.http.cors]\nallowed_origins = ["example.com"]', "write origins as browsers say them"),
    ('[otlp.http.cors]\nallowed_headers = ["a b"]', "write the names of headers"),
    (f'[otlp.http.tls]\ncert_file = "{__file__}"', "otlp.http.tls.key_file: missing"),
    (TLS.format("grpc", '"1.3"'), 'otlp.grpc.tls.min_version = "1.3": gRPC cannot refuse TLS 1.2'),
    (TLS.format("grpc", '"1.1"'), 'otlp.grpc.tls.min_version = "1.1": write "1.2"'),
    (TLS.format("http", '"1.1"'), 'otlp.http.tls.min_version = "1.1": write "1.2" or "1.3"'),
    (TLS.format("http", "1.3"), 'write it in quotes: "1.3"'),
    ('[agent]\nid = " "', 'agent.id = " ": write a name'),
    ('[otlp.grpc]\nmax_recv_msg_size_mib = 4096', "otlp.grpc.max_recv_msg_size_mib = 4096: write at most 1024"),
    ('[otlp.grpc.keepalive]\npermit_without_stream = "maybe"', "permit_without_stream = \"maybe\": write true or false"),
    ('[otlp.http]\nmax_request_body_size = "1GiB"', "less than otlp.http.max_request_body_size lets in"),
    ('[store]\nretentoin = "secret"', "store.retentoin: unknown key; did you mean store.retention?"),
    ('[agent]\nmax_limit = "secret"', "agent.max_limit: unknown key; did you mean query.max_limit?"),
    ("quite_else = 1", "quite_else: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "said"), ONE_PROBLEM)
def test_what_cannot_be_is_refused_in_one_line_by_key_value_and_what_is_right(file: str, said: str):
    message = refusal(file)

    assert said in message
    assert "\n" not in message


def test_an_unknown_keys_value_is_not_repeated():
    assert "secret" not in refusal('[scrub]\nhmac_key = "secret"')


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CORAL_AGENT__STORE__RETENTOIN", "unknown name; did you mean CORAL_AGENT__STORE__RETENTION?"),
        ("CORAL_AGENT__STOR__RETENTION", "unknown name; did you mean CORAL_AGENT__STORE__RETENTION?"),
        ("CORAL_AGENT__STORE__RETENTION__MORE", "unknown name"),
        ("CORAL_AGENT__", "unknown name"),
    ],
)
def test_an_unknown_name_in_the_environment_is_refused(name: str, said: str):
    message = refusal("", {name: "5m"})

    assert message.startswith(f"{name}: {said}")


def test_a_bad_value_from_the_environment_names_its_variable():
    message = refusal("", {"CORAL_AGENT__STORE__RETENTION": "5"})

    assert message.startswith('store.retention = "5" (CORAL_AGENT__STORE__RETENTION): write')


def test_other_names_in_the_environment_are_none_of_ours():
    assert Config.load(None, {"CORAL_AGENT_SERVICE_HOST": "x", "CORAL_COLONY__X": "y", "STORE": "z"}).store.threads == 1


def test_all_problems_are_told_at_once_one_a_line():
    message = refusal('[store]\nretention = 1\nx = 2\n[log]\nlevel = "loud"', {"CORAL_AGENT__Y": "1"})

    first, *problems = message.splitlines()
    assert first.startswith("4 problems in ")
    assert [line.split()[0].rstrip(":") for line in problems] == ["CORAL_AGENT__Y", "store.retention", "store.x", "log.level"]


def test_query_tls_is_whole_or_absent(tmp_path: Path):
    pem = tmp_path / "cert.pem"
    pem.write_text("")

    message = refusal(f'[query]\nendpoint = "0.0.0.0:4319"\n[query.tls]\ncert_file = "{pem}"\nkey_file = "no.pem"')

    assert "query.tls.client_ca_file: missing; the keys of query.tls are set together or not at all" in message
    assert 'query.tls.key_file = "no.pem": no such file' in message


def test_with_query_tls_the_query_endpoint_may_be_anywhere(tmp_path: Path):
    pem = tmp_path / "x.pem"
    pem.write_text("")
    tls = "".join(f'{key} = "{pem}"\n' for key in ("cert_file", "key_file", "client_ca_file"))

    config = Config.load(written(f'[query]\nendpoint = "0.0.0.0:4319"\n[query.tls]\n{tls}'), {})

    assert config.query.tls is not None
    assert config.query.tls.cert_file == pem


def test_ports_that_the_system_chooses_may_be_equal():
    names = ("OTLP__GRPC", "OTLP__HTTP", "QUERY", "ADMIN")

    config = Config.load(None, {f"CORAL_AGENT__{name}__ENDPOINT": "127.0.0.1:0" for name in names})

    assert str(config.admin.endpoint) == "127.0.0.1:0"


def test_every_key_says_its_meaning_and_takes_its_default_back():
    assert all(key.field.description for key in keys_of(Config))
    assert Config.model_validate(tomllib.loads(effective_toml(Config()))) == Config()


def test_the_sample_file_holds_every_key_with_its_default():
    text = (REPOSITORY / "deploy/agent.toml").read_text()

    assert text.endswith(sample_toml(Config()))
    assert Config.load(REPOSITORY / "deploy/agent.toml", dict(os.environ)) == Config()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    assert all(any(line.startswith(f"{key.path[-1]} =") for line in lines) for key in keys_of(Config))


def test_the_reference_lists_every_key_as_the_model_has_it():
    assert (REPOSITORY / "docs/configuration.md").read_text().endswith("\n" + reference_table(Config()))


def test_a_door_may_stay_shut_and_says_so_in_what_is_in_force():
    config = Config.load(written('[otlp.grpc]\nendpoint = ""\nmax_recv_msg_size_mib = 1024'), {})

    assert config.otlp.grpc.endpoint.is_off
    assert 'endpoint = ""' in effective_toml(config)
    assert Config.load(written(effective_toml(config), "again.toml"), {}) == config
    assert Config.load(None, {"CORAL_AGENT__OTLP__HTTP__ENDPOINT": ""}).otlp.http.endpoint.is_off


def test_a_path_without_a_slash_gets_one():
    config = Config.load(written('[otlp.http]\ntraces_url_path = "in/traces"'), {})

    assert config.otlp.http.traces_url_path == "/in/traces"


def test_tls_of_the_otlp_doors_is_by_the_collectors_names():
    tls = Config.load(written(TLS.format("http", '"1.3"') + '\nreload_interval = "1m"'), {}).otlp.http.tls

    assert tls is not None
    assert (tls.version, tls.reload_interval.seconds, tls.client_ca_file) == (ssl.TLSVersion.TLSv1_3, 60, None)
    grpc_tls = Config.load(written(TLS.format("grpc", '"1.2"')), {}).otlp.grpc.tls
    assert grpc_tls is not None
    assert (grpc_tls.version, grpc_tls.reload_interval.seconds) == (ssl.TLSVersion.TLSv1_2, 10)
