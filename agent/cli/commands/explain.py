"""What the scrub rules would do to a sample: the command ``scrub-explain``."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.message import Message

from agent import errors
from agent.batch import Signal
from agent.cli.commands.program import REFUSED, commands, console, fail, loaded, print_rows
from agent.cli.explain import findings_table, signal_of, summary_line
from agent.cli.options import ConfigOption, Output
from agent.config.model import Config

if TYPE_CHECKING:
    from agent.scrub.explain import Finding

_MAX_SAMPLE_BYTES = 16 << 20


@commands.command("scrub-explain")
def scrub_explain(
    sample: Annotated[
        str, typer.Argument(metavar="[FILE]", help="OTLP JSON: traces, logs or metrics. Else standard input.")
    ] = "-",
    config: ConfigOption = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="A table for people or JSON for programs.")] = Output.TABLE,
) -> None:
    """Show which scrub rule hits where in a sample; what is hit is not shown."""
    effective = loaded(config)
    documents = _documents(_read(sample))
    try:
        found = [finding for document in documents for finding in _explained(document, effective)]
    except errors.AgentError as error:
        fail(error.message, REFUSED)
    if output is Output.JSON:
        rows = [{"path": f.path, "key": f.key, "rules": [_named(r) for r in f.rules], "leaves": f.leaves} for f in found]
        sys.stdout.write(json.dumps({"profile": effective.scrub.profile, "findings": rows}, indent=2) + "\n")
        return
    print_rows(console(), [*([findings_table(found)] if found else []), summary_line(found, effective.scrub.profile)])


def _named(rule: tuple[str, str]) -> dict[str, str]:
    return {"rule": rule[0], "mode": rule[1]}


def _read(sample: str) -> bytes:
    try:
        content = sys.stdin.buffer.read(_MAX_SAMPLE_BYTES + 1) if sample == "-" else Path(sample).read_bytes()
    except OSError as error:
        fail(f"{sample}: {error.strerror}; name a file of OTLP JSON, or - for standard input", REFUSED)
    if len(content) > _MAX_SAMPLE_BYTES:
        fail(f"{sample}: more than {_MAX_SAMPLE_BYTES >> 20} MiB; a sample is enough", REFUSED)
    return content


def _documents(content: bytes) -> list[bytes]:
    """The requests of a sample: one, or one on each line as the Collector's file exporter writes them."""
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        return lines
    return [content]


def _explained(document: bytes, config: Config) -> list[Finding]:
    """The findings in one request.

    Raises:
        MalformedExport, ConfigError: it is no OTLP JSON; a rule cannot be.
    """
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: PLC0415 slow
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest  # noqa: PLC0415 slow
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415 slow

    from agent.decode.json import protobuf_of_json  # noqa: PLC0415 Arrow and RE2 take half a second that other commands save
    from agent.scrub.explain import explained  # noqa: PLC0415 slow
    from agent.scrub.scrubber import Scrubber  # noqa: PLC0415 slow
    from agent.scrub.settings import LEAST_BYTES, key_file, settings_of  # noqa: PLC0415 slow

    kinds: dict[Signal, type[Message]] = {
        Signal.TRACES: ExportTraceServiceRequest,
        Signal.LOGS: ExportLogsServiceRequest,
        Signal.METRICS: ExportMetricsServiceRequest,
    }
    signal = signal_of(document)
    path = key_file(config)
    key = path.read_bytes() if path.is_file() else b""
    scrubber = Scrubber(settings_of(config), key if len(key) >= LEAST_BYTES else secrets.token_bytes(32), signal)
    return list(explained(kinds[signal].FromString(protobuf_of_json(signal, document)), scrubber))
