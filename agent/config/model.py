"""The agent's configuration: every key, its default and its meaning, and what cannot be."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from agent.config import fields, machine, sources
from agent.config.fields import (
    DurationField,
    EndpointField,
    Name,
    PathField,
    PemFile,
    Re2Pattern,
    RuleName,
    Section,
    SizeField,
    SocketOrOff,
    SpiffePattern,
    at_least,
)
from agent.config.otlp import Otlp
from agent.endpoint import Endpoint
from agent.quantity import ByteSize, Duration

_SECOND = Duration.of("1s")


class Agent(Section):
    """Who this agent is and which services are its own."""

    id: Name = fields.machine_key(machine.hostname, "the host's name", "What the colony calls this agent")
    services: tuple[Name, ...] = fields.key((), "The node's own services; others are refused. Empty: every service is")


class QueryTls(Section):
    """The query door's certificate, and whose clients it lets in."""

    cert_file: PemFile = Field(description="The agent's certificate chain, PEM")
    key_file: PemFile = Field(description="Its private key, PEM, without a password")
    client_ca_file: PemFile = Field(description="The authorities whose client certificates count, PEM")
    reload_interval: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("5s"), "How often to look whether the files have changed"
    )


class Query(Section):
    """The way out."""

    endpoint: EndpointField = fields.key(Endpoint("127.0.0.1", 4319), "Where TelemetryQuery answers")
    local_endpoint: SocketOrOff = fields.key(
        Endpoint("", 0), "A socket beside it for the operator on this node: mode 0600, no certificate. Empty: none"
    )
    allowed_peers: tuple[SpiffePattern, ...] = fields.key(
        ("spiffe://coral/colony/*",), "SPIFFE ids that may ask; a final * stands for one segment. Needs query.tls"
    )
    default_window: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("5m"), "What a query without times looks back on"
    )
    max_limit: int = fields.key(1000, "The most rows in a page, and the default", ge=1, le=100_000)
    max_duration: Annotated[DurationField, at_least(Duration.of("10ms"))] = fields.key(
        Duration.of("10s"), "A query that takes longer is stopped"
    )
    max_concurrent: int = fields.key(8, "Queries at a time; more are told to come again", ge=1, le=1024)
    max_reply_bytes: Annotated[SizeField, at_least(ByteSize.of("64KiB"))] = fields.key(
        ByteSize.of("4MiB"), "The largest reply; a page is cut before it"
    )
    tls: QueryTls | None = Field(default=None, description="Mutual TLS; plaintext only on loopback or a unix socket")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tls is None and not self.endpoint.is_local:
            raise ValueError(
                f'query.endpoint = "{self.endpoint}": off this machine without query.tls anyone may ask; '
                "set query.tls.{cert_file,key_file,client_ca_file}, or write a loopback address"
            )
        return self


class Store(Section):
    """What is kept, where and for how long."""

    dir: PathField = fields.machine_key(
        lambda: machine.state_directory(os.environ),
        "`$XDG_STATE_HOME/coral-agent`, else `~/.local/state/coral-agent`; `/var/lib/coral-agent` as root",
        "Where telemetry lies",
    )
    retention: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("1h"), "Telemetry is kept at least this long after it arrived, unless max_bytes is reached"
    )
    segment: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("5m"), "Telemetry is retired in slices of this length"
    )
    max_bytes: Annotated[SizeField, at_least(ByteSize.of("1MiB"))] = fields.key(
        ByteSize.of("8GiB"), "The disk budget; the oldest slices go first"
    )
    max_service_percent: int = fields.key(
        100, "What one service may take of max_bytes: above it senders are told to retry. 100 is no bound", ge=1, le=100
    )
    min_free_bytes: SizeField = fields.key(
        ByteSize.of("1GiB"), "Left free on the disk: below it senders are told to retry, the oldest slices go first. 0 is none"
    )
    memory_limit: Annotated[SizeField, at_least(ByteSize.of("16MiB"))] = fields.key(
        ByteSize.of("64MiB"), "What DuckDB may use: what it has read and written stays in memory up to this"
    )
    threads: int = fields.key(1, "DuckDB's threads", ge=1, le=256)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.segment > self.retention:
            raise ValueError(
                f'store.segment = "{self.segment}": longer than store.retention = "{self.retention}"; '
                f'write at most "{self.retention}"'
            )
        return self


class Limits(Section):
    """What one request, and all that wait, may hold."""

    max_records: int = fields.key(65536, "Spans, data points or log records in one request", ge=1, le=10_000_000)
    max_record_bytes: Annotated[SizeField, at_least(ByteSize.of("1KiB"))] = fields.key(
        ByteSize.of("1MiB"), "The largest span, data point or log record; a larger one is refused"
    )
    max_attributes: int = fields.key(
        4096, "Attributes, events, links or exemplars of one record; a record with more is refused", ge=128, le=65536
    )
    queue_bytes: Annotated[SizeField, at_least(ByteSize.of("64KiB"))] = fields.machine_key(
        lambda: fields.whole_mib(64, machine.memory_bytes() / 8, 256),
        "an eighth of the memory (of the cgroup's limit), 64MiB to 256MiB",
        "Requests waiting to be stored; when full, senders are told to retry",
    )


MAX_RULES = 64
"""Each is a label of a counter, and a search over every text."""


class Rule(Section):
    """One rule of the operator's own: what to look for, and what becomes of it."""

    name: RuleName
    mode: Literal["drop", "mask", "partial", "hmac", "truncate_ip"]
    pattern: Re2Pattern | None = None
    keys: tuple[Name, ...] = ()
    signals: tuple[Literal["traces", "metrics", "logs"], ...] = ()
    places: tuple[Literal["attributes", "body", "text"], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pattern is None and not self.keys:
            raise ValueError("it looks for nothing; write a pattern, or keys, or both")
        if any("*" in key[:-1] or key == "*" for key in self.keys):
            raise ValueError("a * in keys stands for the end of a key only, like app.customer.*")
        return self


class Scrub(Section):
    """How personal data is taken out of what leaves."""

    profile: Literal["default", "strict", "off"] = fields.key("default", "Which rules: default, strict, or off for none")
    stage: Literal["query", "ingest"] = fields.key(
        "query", "Where: query stores raw and scrubs what leaves, ingest also before anything is stored"
    )
    rules: tuple[Rule, ...] = fields.key(
        (), "Rules of your own: name, mode, pattern (RE2) and keys, signals, places; see docs/privacy.md"
    )
    allow_keys: tuple[Name, ...] = fields.key((), "Attribute keys that no rule touches")
    hmac_key_file: PathField | None = fields.key(
        None, "The key that makes pseudonyms; made when absent, without a path in store.dir. Share it to link across agents"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'scrub.rules: two are named "{twice}"; write another name for one')
        if len(names) > MAX_RULES:
            raise ValueError(f"scrub.rules: {len(names)} rules; write at most {MAX_RULES}")
        return self


class Admin(Section):
    """Metrics and health."""

    endpoint: EndpointField = fields.key(Endpoint("127.0.0.1", 4320), "Where /metrics, /livez and /readyz answer")


class Log(Section):
    """The agent's own log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(fields.lower)] = fields.key(
        "info", "The least severity: debug, info, warning or error"
    )
    format: Annotated[Literal["console", "json"], BeforeValidator(fields.lower)] = fields.key("console", "console or json")


class Config(BaseSettings):
    """The whole configuration. ``Config()`` is the defaults; ``Config.load`` asks the file and the environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, case_sensitive=True, validate_default=False)

    agent: Agent = Field(default_factory=Agent)
    otlp: Otlp = Field(default_factory=Otlp)
    query: Query = Field(default_factory=Query)
    store: Store = Field(default_factory=Store)
    limits: Limits = Field(default_factory=Limits)
    scrub: Scrub = Field(default_factory=Scrub)
    admin: Admin = Field(default_factory=Admin)
    log: Log = Field(default_factory=Log)

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
        machine_defaults = {"store": {"dir": machine.state_directory(environ)}}
        layers = (overrides or {}, from_environment, sources.read_file(file), machine_defaults)
        try:
            merged = tuple(InitSettingsSource(cls, dict(layer)) for layer in layers)
            config = cls(_build_sources=(merged, {}))  # type: ignore[call-arg] # BaseSettings has it, mypy sees keys only
        except ValidationError as error:
            problems += sources.problems_of(error, cls, from_environment)
        if problems:
            raise sources.refusal(problems, file)
        return config

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._shared_endpoints(), *self._requests_that_never_fit()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _shared_endpoints(self) -> list[str]:
        listening = {
            "otlp.grpc.endpoint": self.otlp.grpc.endpoint,
            "otlp.http.endpoint": self.otlp.http.endpoint,
            "query.endpoint": self.query.endpoint,
            "query.local_endpoint": self.query.local_endpoint,
            "admin.endpoint": self.admin.endpoint,
        }
        return [
            f'{later} = "{endpoint}": also {earlier}; write another port'
            for (earlier, other), (later, endpoint) in itertools.combinations(listening.items(), 2)
            if endpoint == other and (endpoint.port or endpoint.unix_path)
        ]

    def _requests_that_never_fit(self) -> list[str]:
        largest = {}
        if not self.otlp.grpc.endpoint.is_off:
            largest["otlp.grpc.max_recv_msg_size_mib"] = ByteSize(self.otlp.grpc.max_recv_msg_bytes)
        if not self.otlp.http.endpoint.is_off:
            largest["otlp.http.max_request_body_size"] = self.otlp.http.max_request_body_size
        return [
            f'limits.queue_bytes = "{self.limits.queue_bytes}": less than {name} lets in; write at least "{size}"'
            for name, size in largest.items()
            if size > self.limits.queue_bytes
        ]
