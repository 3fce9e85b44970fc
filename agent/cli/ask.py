"""The command line as a client of TelemetryQuery: a channel to the agent, every page of a trace, errors in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc

from agent.endpoint import Endpoint

DEFAULT_TARGET = "127.0.0.1:4319"
TIMEOUT_SECONDS = 30.0
"""More than the agent's own query.max_duration: it should be the one to say that time is up."""

Request = api.QuerySpansRequest | api.QueryLogsRequest | api.QueryMetricsRequest
Page = Any
"""The response of whichever call was made: generated stubs have no types."""

Call = Callable[..., Page]

_LARGEST_REPLY_BYTES = 256 << 20
_MOST_TRACE_SPANS = 20_000
"""More is no tree for a person; the command says so."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which agent, and with which certificates; TLS exactly when ``ca_file`` is given."""

    endpoint: Endpoint
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


@contextmanager
def asking(target: Target) -> Iterator[rpc.TelemetryQueryStub]:
    """A stub for ``target``.

    Raises:
        OSError: a certificate file cannot be read.
    """
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", _LARGEST_REPLY_BYTES),
        ("grpc.enable_http_proxy", 0),  # an agent is never behind the proxy that the shell's variables name
    ]
    if target.server_name:
        options.append(("grpc.ssl_target_name_override", target.server_name))
    with _channel(target, options) as channel:
        yield rpc.TelemetryQueryStub(channel)  # type: ignore[no-untyped-call] # generated


def _channel(target: Target, options: list[tuple[str, str | int]]) -> grpc.Channel:
    if target.ca_file is None:
        return grpc.insecure_channel(str(target.endpoint), options)
    credentials = grpc.ssl_channel_credentials(
        target.ca_file.read_bytes(),
        target.key_file.read_bytes() if target.key_file else None,
        target.cert_file.read_bytes() if target.cert_file else None,
    )
    return grpc.secure_channel(str(target.endpoint), credentials, options)


def pages(call: Call, request: Request) -> Iterator[Page]:
    """Page after page of what ``request`` asks for, which is changed on the way."""
    while True:
        page = call(request, timeout=TIMEOUT_SECONDS)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def whole_trace(stub: rpc.TelemetryQueryStub, trace_id: str) -> api.QuerySpansResponse:
    """Every span of a trace, page after page, as one answer; ``has_more`` when it was cut."""
    answer = api.QuerySpansResponse()
    for page in pages(stub.QuerySpans, api.QuerySpansRequest(trace_id=trace_id, order=api.ORDER_OLDEST)):
        warnings = [warning for warning in page.warnings if warning not in answer.warnings]
        answer.spans.extend(page.spans)
        answer.warnings.extend(warnings)
        answer.total_count, answer.total_is_exact = page.total_count, page.total_is_exact
        answer.has_more, answer.next_page_token = page.has_more, page.next_page_token
        if len(answer.spans) >= _MOST_TRACE_SPANS:
            break
    return answer


_ADVICE = {
    grpc.StatusCode.UNAVAILABLE: "is the agent running (coral-agent run)? Another address: --target; mutual TLS: --tls-ca",
    grpc.StatusCode.PERMISSION_DENIED: "the agent's query.allowed_peers says whose certificates may ask",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "try again in a moment, or ask for less: --limit",
    grpc.StatusCode.DEADLINE_EXCEEDED: "ask for less: a shorter --last, a --service",
    grpc.StatusCode.UNIMPLEMENTED: "is this the agent's query port (4319), and an agent of this version?",
}


def explained(error: grpc.RpcError, target: Target) -> str:
    """What went wrong in one line: code, the agent's words, what to try."""
    if not isinstance(error, grpc.Call):
        return f"{target.endpoint}: {error}"
    code, said = error.code(), " ".join((error.details() or "").split())
    advice = _ADVICE.get(code)
    return f"{target.endpoint}: {code.name}: {said}" + (f" — {advice}" if advice else "")
