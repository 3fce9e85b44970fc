"""``[[upstream]]``: other people's MCP servers that the colony offers beside its own tools."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from colony.config import fields
from colony.config.fields import DurationField, Name, ReadableFile, Section, SizeField, at_least
from colony.quantity import ByteSize, Duration

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = ("accept", "accept-encoding", "content-length", "content-type", "host", "mcp-protocol-version", "mcp-session-id")
"""Headers that the protocol needs, which nobody may set."""


class HeaderValue:
    """What a header says: ``env:NAME``, ``file:/PATH``, or the text itself, which is never shown."""

    def __init__(self, said: str) -> None:
        self.said = said

    def __str__(self) -> str:
        """As ``check`` prints it."""
        return self.said if self.said.startswith(("env:", "file:")) else "***"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeaderValue) and other.said == self.said

    def __hash__(self) -> int:
        return hash(self.said)


def _header_value(value: object) -> HeaderValue:
    if isinstance(value, HeaderValue):
        return value
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise ValueError("write a text of ASCII characters, env:NAME or file:/PATH")
    return HeaderValue(value)


def _header_name(value: str) -> str:
    if not _HEADER.fullmatch(value) or value.lower() in _OURS:
        raise ValueError("write the name of a header that the protocol does not use itself, like X-Scope-OrgID")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value == "coral":
        raise ValueError('write up to 24 of a-z, 0-9 and -, a letter first, and not "coral"')
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in value):
        raise ValueError("write a URL, like https://tempo.example.com")
    if parts.fragment:
        raise ValueError("write it without a #fragment")
    return value


def _no_credentials(value: object) -> str:
    """Before anything else, since a refusal shows the value."""
    if not isinstance(value, str):
        raise ValueError("write a text in quotes")  # noqa: TRY004 pydantic knows ValueError
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("write it without user and password; use bearer_token_file or headers")
    return _url(value)


_MEANING_OF_HEADERS = 'More headers, like {X-Scope-OrgID = "env:TEMPO_TENANT"}: env:NAME and file:/PATH are read when needed'


class Upstream(Section):
    """One server."""

    name: Annotated[str, AfterValidator(_name)] = Field(description="What its tools begin with")
    kind: Literal["tempo", "grafana", "generic"] = fields.key("generic", "tempo, grafana (finds its Tempo), or generic")
    url: Annotated[str, PlainValidator(_no_credentials)] | None = fields.key(None, "Base or full address of the server")
    command: tuple[Name, ...] = fields.key((), "Instead of url: a program that speaks MCP on standard input and output")
    datasource: str = fields.key("", "For grafana: uid or name of the Tempo datasource; else the default one, else the first")
    bearer_token_file: ReadableFile | None = fields.key(None, "A file with the token to send; read again when it changes")
    bearer_token_env: str = fields.key("", "Or the environment variable that holds it")
    headers: dict[Annotated[str, AfterValidator(_header_name)], Annotated[HeaderValue, PlainValidator(_header_value)]] = (
        fields.key({}, _MEANING_OF_HEADERS)
    )
    tools: tuple[Name, ...] = fields.key((), "Which of its tools are offered, by name, * for any characters; empty: all")
    deadline: Annotated[DurationField, at_least(Duration.of("100ms"))] = fields.key(
        Duration.of("10s"), "How long one call may take, a second try included"
    )
    max_in_flight: int = fields.key(8, "Calls at a time", ge=1, le=256)
    max_reply_bytes: Annotated[SizeField, at_least(ByteSize.of("64KiB"))] = fields.key(
        ByteSize.of("8MiB"), "What one reply may hold"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if (self.url is None) == (not self.command):
            problems.append("write url or command, one of them")
        if self.command and (self.kind == "grafana" or self.headers or self.bearer_token_file or self.bearer_token_env):
            problems.append('a command has no headers and no token, and is not "grafana"; write url for that')
        if self.bearer_token_file and self.bearer_token_env:
            problems.append("write bearer_token_file or bearer_token_env, not both")
        if self.datasource and self.kind != "grafana":
            problems.append('datasource is for kind = "grafana"')
        if problems:
            raise ValueError("\n".join(problems))
        return self


def check_names(upstreams: tuple[Upstream, ...]) -> None:
    """Refuses two of one name.

    Raises:
        ValueError: says which.
    """
    names = [upstream.name for upstream in upstreams]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f'upstream: two are named "{twice}"; write another name for one')
