"""The screen at start."""

from __future__ import annotations

from pathlib import Path

from agent.cli.welcome import welcome
from agent.config.model import Config
from tests.agent.cli.telemetry import shown

ADDRESSES = {
    "otlp_grpc": "127.0.0.1:4317",
    "otlp_http": "127.0.0.1:4318",
    "query": "127.0.0.1:4319",
    "admin": "127.0.0.1:4320",
}


def test_it_says_where_what_how_long_and_what_to_type_next():
    text = shown(welcome(Config.model_validate({"store": {"dir": "/data"}}), ADDRESSES))

    assert all(address in text for address in ADDRESSES.values())
    assert "1h, at most 8GiB on disk, in /data" in text
    assert "by the default rules" in text
    assert "every process on this machine may ask" in text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in text
    assert "coral-agent spans --last 5m\n" in text


def test_it_fits_one_screen():
    assert len(shown(welcome(Config(), ADDRESSES), width=100).splitlines()) <= 24


def test_other_addresses_appear_in_what_to_type():
    text = shown(welcome(Config(), ADDRESSES | {"query": "127.0.0.1:9", "otlp_grpc": "unix:///run/a.sock"}))

    assert "coral-agent spans --last 5m --target 127.0.0.1:9" in text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=unix:///run/a.sock" in text


def test_with_tls_it_says_who_may_ask_and_how(tmp_path: Path):
    pem = tmp_path / "x.pem"
    pem.write_text("")
    tls = dict.fromkeys(("cert_file", "key_file", "client_ca_file"), pem)

    text = shown(welcome(Config.model_validate({"query": {"tls": tls}}), ADDRESSES))

    assert "mutual TLS: spiffe://coral/colony/*" in text
    assert "--tls-ca CA.pem" in text


def test_it_warns_when_nothing_is_scrubbed():
    assert "personal data leaves as it came" in shown(welcome(Config.model_validate({"scrub": {"profile": "off"}}), ADDRESSES))
