"""The one screen at start: what listens where, what is kept how long, and what to type next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import __version__
from agent.config.model import Config

_LISTENERS = {
    "otlp_grpc": ("OTLP gRPC", ""),
    "otlp_http": ("OTLP HTTP", ""),
    "query": ("queries", ""),
    "query_local": ("operator", "this user alone, without a certificate"),
    "admin": ("admin", "/metrics /livez /readyz"),
}


def welcome(config: Config, addresses: Mapping[str, str]) -> RenderableType:
    """The screen for an agent that listens on ``addresses`` (by ``otlp_grpc``, ``otlp_http``, ``query``, ``admin``)."""
    return Group(
        Text.assemble(("coral-agent ", "bold"), __version__, "  ", (config.agent.id, "bold")),
        Text(),
        _facts(config, addresses),
        Text(),
        Text("Send it telemetry:", "bold"),
        *(Text(f"  {line}", "cyan") for line in _sending(addresses)),
        Text("Ask for it:", "bold"),
        *(Text(f"  {line}", "cyan") for line in _asking(config, addresses)),
        Text(),
    )


def _facts(config: Config, addresses: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, (title, paths) in _LISTENERS.items():
        if name in addresses:
            door = _door(config) if name == "query" else paths
            table.add_row(title, Text.assemble((addresses[name], "green"), f"  {door}" if door else ""))
    store, scrub = config.store, config.scrub
    table.add_row("keeps", Text(f"{store.retention}, at most {store.max_bytes} on disk, in {store.dir}"))
    table.add_row("of", Text(", ".join(config.agent.services) or "every service"))
    if scrub.profile == "off":
        table.add_row("scrubs", Text("nothing: personal data leaves as it came (scrub.profile = off)", "yellow"))
    else:
        what = "from all that is stored and leaves" if scrub.stage == "ingest" else "from all that leaves"
        table.add_row("scrubs", Text(f"personal data by the {scrub.profile} rules, {what}"))
    return table


def _door(config: Config) -> str:
    if config.query.tls is None:
        return "plaintext: every process on this machine may ask"
    return f"mutual TLS: {', '.join(config.query.allowed_peers)}"


def _sending(addresses: Mapping[str, str]) -> list[str]:
    """The SDKs' own variables; gRPC where it listens, else HTTP."""
    for name, protocol in (("otlp_grpc", "grpc"), ("otlp_http", "http/protobuf")):
        if name in addresses:
            address = addresses[name]
            url = address if address.startswith("unix:") else f"http://{address}"
            return [f"export OTEL_EXPORTER_OTLP_ENDPOINT={url} OTEL_EXPORTER_OTLP_PROTOCOL={protocol}"]
    return []


def _asking(config: Config, addresses: Mapping[str, str]) -> list[str]:
    target = addresses.get("query", "127.0.0.1:4319")
    options = "" if target == "127.0.0.1:4319" else f" --target {target}"
    if config.query.tls is not None:
        options += " --tls-ca CA.pem --tls-cert CERT.pem --tls-key KEY.pem"
    return [f"{_program()} spans --last 5m{options}", f"{_program()} info{options}"]


def _program() -> str:
    """How this program is typed: by its name where that is on the PATH, else by its path."""
    return "coral-agent" if shutil.which("coral-agent") or not sys.argv[0].endswith("coral-agent") else sys.argv[0]
