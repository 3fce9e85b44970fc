"""The colony's configuration: every key, its default and its meaning, and what cannot be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from colony.config import fields, sources
from colony.config.fields import (
    DnsEndpoint,
    DurationField,
    EndpointField,
    Name,
    PathField,
    ReadableFile,
    Section,
    SizeField,
    at_least,
)
from colony.config.upstream import Upstream, check_names
from colony.endpoint import Endpoint
from colony.quantity import ByteSize, Duration

_SECOND = Duration.of("1s")
_NEIGHBOUR = Endpoint("127.0.0.1", 4319)
_MCP = Endpoint("127.0.0.1", 4321)
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 what is looked for


class AgentsTls(Section):
    """How the colony shows itself to agents, and whom it takes for one."""

    cert_file: ReadableFile = Field(description="The colony's certificate chain, PEM; its SPIFFE id is who asks")
    key_file: ReadableFile = Field(description="Its private key, PEM, without a password")
    ca_file: ReadableFile = Field(description="The authorities whose certificates agents must show, PEM")
    server_name: Name = fields.key("agent.coral", "The DNS name that every agent's certificate has")
    reload_interval: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("10s"), "How often to look whether the files have changed"
    )


class Agents(Section):
    """Which agents there are and how they are asked."""

    static: tuple[EndpointField, ...] = fields.key(
        (), f"Agents by address. Empty, with neither dns nor file: the one of this machine, {_NEIGHBOUR}"
    )
    dns: DnsEndpoint | None = fields.key(
        None, "A name whose every address is an agent, like a headless Service, and the port; resolved again each poll"
    )
    file: PathField | None = fields.key(None, "A file with one HOST:PORT a line, # before comments; read again when it changes")
    deadline: Annotated[DurationField, at_least(Duration.of("50ms"))] = fields.key(
        Duration.of("2s"), "How long one agent may take; within the caller's own deadline"
    )
    max_in_flight: int = fields.key(64, "Requests to agents at a time", ge=1, le=4096)
    poll: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("15s"), "How often each agent is asked what it keeps"
    )
    tls: AgentsTls | None = Field(default=None, description="Mutual TLS; without it only agents of this machine are asked")

    @property
    def listed(self) -> tuple[Endpoint, ...]:
        """The agents by address: this machine's when nothing else is said."""
        return self.static if self.static or self.dns or self.file else (_NEIGHBOUR,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        far = [str(endpoint) for endpoint in self.static if not endpoint.is_local]
        if self.tls is None and far:
            raise ValueError(
                f'agents.static = "{far[0]}": off this machine without agents.tls anyone may answer; '
                "set agents.tls.{cert_file,key_file,ca_file}, or write loopback addresses"
            )
        return self


class McpTls(Section):
    """The certificate that MCP clients see."""

    cert_file: ReadableFile = Field(description="The certificate chain that MCP clients see, PEM")
    key_file: ReadableFile = Field(description="Its private key, PEM, without a password")


class Mcp(Section):
    """Where models ask, and who may."""

    endpoint: EndpointField = fields.key(_MCP, "Where MCP answers, at /mcp and /api/mcp")
    allowed_hosts: tuple[Name, ...] = fields.key(
        (), 'What the Host header may say besides this address, like "colony.example:4321" or "colony:*" for any port'
    )
    allowed_origins: tuple[Name, ...] = fields.key(
        (), 'What the Origin header may say besides this machine\'s, like "https://assistant.example"'
    )
    bearer_token_file: ReadableFile | None = fields.key(
        None, "A file with the token that clients must send; off loopback there must be one"
    )
    answer_tokens: int = fields.key(6000, "The longest answer of a tool, in tokens of three bytes", ge=1000, le=10_000)
    tls: McpTls | None = Field(default=None, description="TLS; without it MCP is plaintext")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if not self.endpoint.is_local and self.bearer_token_file is None:
            problems.append(
                f'mcp.endpoint = "{self.endpoint}": off this machine anyone could ask; set mcp.bearer_token_file, '
                "or write a loopback address"
            )
        if self.endpoint.host in _WILDCARDS and not self.allowed_hosts:
            problems.append(
                f'mcp.endpoint = "{self.endpoint}": of every interface no Host header can be right by itself; '
                "set mcp.allowed_hosts to the names that clients use"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Cache(Section):
    """Answers given again."""

    ttl: DurationField = fields.key(Duration.of("30s"), "How long an answer from every agent is given again; 0s: not at all")
    max_bytes: Annotated[SizeField, at_least(ByteSize.of("64KiB"))] = fields.key(
        ByteSize.of("64MiB"), "What such answers may hold together"
    )


class Summaries(Section):
    """One-minute summaries of spans, pulled from agents."""

    dir: PathField = fields.machine_key(
        lambda: sources.state_directory(os.environ),
        "`$XDG_STATE_HOME/coral-colony`, else `~/.local/state/coral-colony`; `/var/lib/coral-colony` as root",
        "Where summaries lie",
    )
    retention: Annotated[DurationField, at_least(Duration.of("1h"))] = fields.key(
        Duration.of("24h"), "How long summaries are kept"
    )
    interval: Annotated[DurationField, at_least(_SECOND)] = fields.key(Duration.of("1m"), "How often agents are asked for them")


class Admin(Section):
    """Metrics and health."""

    endpoint: EndpointField = fields.key(Endpoint("127.0.0.1", 4322), "Where /metrics, /livez and /readyz answer")


class Log(Section):
    """The colony's own log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(fields.lower)] = fields.key(
        "info", "The least severity: debug, info, warning or error"
    )
    format: Annotated[Literal["console", "json"], BeforeValidator(fields.lower)] = fields.key("console", "console or json")


class Config(BaseSettings):
    """The whole configuration. ``Config()`` is the defaults; ``Config.load`` asks the file and the environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, case_sensitive=True, validate_default=False)

    upstream: tuple[Upstream, ...] = fields.key(
        (), "Other people's MCP servers, one table each: name, kind, url or command, and more; docs/upstreams.md"
    )
    mcp: Mcp = Field(default_factory=Mcp)
    agents: Agents = Field(default_factory=Agents)
    cache: Cache = Field(default_factory=Cache)
    summaries: Summaries = Field(default_factory=Summaries)
    admin: Admin = Field(default_factory=Admin)
    log: Log = Field(default_factory=Log)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_names(self.upstream)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but the arguments: only ``load`` reads the machine."""
        return (init_settings,)

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Config:
        """The command line's ``overrides`` over the environment over the file over the defaults.

        Raises:
            ConfigError: every problem at once, one a line.
        """
        file = sources.find_file(path, environ)
        from_environment, problems = sources.read_environment(cls, environ)
        machine_defaults = {"summaries": {"dir": sources.state_directory(environ)}}
        layers = (overrides or {}, from_environment, sources.read_file(file), machine_defaults)
        try:
            merged = tuple(InitSettingsSource(cls, dict(layer)) for layer in layers)
            config = cls(_build_sources=(merged, {}))  # type: ignore[call-arg] # BaseSettings has it, mypy sees keys only
        except ValidationError as error:
            problems += sources.problems_of(error, cls, from_environment)
        if problems:
            raise sources.refusal(problems, file)
        return config
