"""The way in, as it is configured: both OTLP doors, by the Collector's names where it has one."""

from __future__ import annotations

import ssl
from typing import Annotated, Self

from pydantic import Field, model_validator

from agent.config import fields
from agent.config.fields import (
    DurationField,
    EndpointOrOff,
    GrpcTlsVersion,
    HeaderName,
    Origin,
    PemFile,
    Section,
    SizeField,
    TlsVersion,
    UrlPath,
    at_least,
)
from agent.endpoint import Endpoint
from agent.quantity import ByteSize, Duration

_SECOND = Duration.of("1s")


class Keepalive(Section):
    """HTTP/2 pings, ours to quiet clients and how often we bear theirs; and how old a connection may become."""

    time: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("2h"), "A client that has been silent this long is pinged"
    )
    timeout: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("20s"), "A pinged client that does not answer within this is cut off"
    )
    min_time: DurationField = fields.key(Duration.of("10s"), "A client that pings more often than this is cut off")
    permit_without_stream: bool = fields.key(True, "Whether clients may ping while they send nothing")
    max_connection_age: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("1h"), "A connection this old, give or take a tenth, is closed, and its client connects anew"
    )
    max_connection_age_grace: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("1m"), "How long its requests in flight may still take then"
    )


class Tls(Section):
    """An OTLP door's certificate, and whose clients it lets in."""

    cert_file: PemFile = Field(description="The agent's certificate chain, PEM")
    key_file: PemFile = Field(description="Its private key, PEM, without a password")
    client_ca_file: PemFile | None = fields.key(
        None, "The authorities whose client certificates are required, PEM. Unset: every client may send"
    )
    reload_interval: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("10s"), "How often to look whether the files have changed"
    )
    min_version: TlsVersion = fields.key("1.2", "The oldest TLS that is spoken: 1.2 or 1.3")

    @property
    def version(self) -> ssl.TLSVersion:
        """``min_version`` as ssl has it."""
        return ssl.TLSVersion.TLSv1_3 if self.min_version == "1.3" else ssl.TLSVersion.TLSv1_2


class GrpcTls(Tls):
    """The same for gRPC, which cannot refuse TLS 1.2."""

    min_version: GrpcTlsVersion = fields.key("1.2", "The oldest TLS that is spoken: 1.2, gRPC has no other")


class Cors(Section):
    """Which web pages may send."""

    allowed_origins: tuple[Origin, ...] = fields.key(
        (), "Origins of web pages that may send; * stands for any text. Empty: none, and no answer has a CORS header"
    )
    allowed_headers: tuple[HeaderName, ...] = fields.key(
        (), "Headers such a page may set besides Accept, Accept-Language, Content-Language and Content-Type; * for any"
    )
    max_age: DurationField = fields.key(Duration.of("10m"), "How long a browser may remember that")


class OtlpGrpc(Section):
    """OTLP over gRPC."""

    endpoint: EndpointOrOff = fields.key(Endpoint("127.0.0.1", 4317), "Where OTLP over gRPC is received. Empty: nowhere")
    max_recv_msg_size_mib: int = fields.key(64, "The largest request, in MiB, after decompression", ge=1, le=1024)
    max_concurrent_streams: int = fields.key(64, "Requests at a time per connection", ge=1, le=65536)
    keepalive: Keepalive = Field(default_factory=Keepalive, description="HTTP/2 pings, and connections that age")
    tls: GrpcTls | None = Field(default=None, description="TLS; with client_ca_file mutual TLS")

    @property
    def max_recv_msg_bytes(self) -> int:
        """The largest request in bytes."""
        return self.max_recv_msg_size_mib << 20


class OtlpHttp(Section):
    """OTLP over HTTP."""

    endpoint: EndpointOrOff = fields.key(Endpoint("127.0.0.1", 4318), "Where OTLP over HTTP is received. Empty: nowhere")
    max_request_body_size: Annotated[SizeField, at_least(ByteSize(1024))] = fields.key(
        ByteSize.of("64MiB"), "The largest request body, before and after decompression"
    )
    traces_url_path: UrlPath = fields.key("/v1/traces", "The path for traces")
    metrics_url_path: UrlPath = fields.key("/v1/metrics", "The path for metrics")
    logs_url_path: UrlPath = fields.key("/v1/logs", "The path for logs")
    max_connection_age: Annotated[DurationField, at_least(_SECOND)] = fields.key(
        Duration.of("1h"), "A connection this old is closed with its next answer, and its client connects anew"
    )
    cors: Cors = Field(default_factory=Cors, description="Which web pages may send")
    tls: Tls | None = Field(default=None, description="TLS; with client_ca_file mutual TLS")

    @model_validator(mode="after")
    def _check(self) -> Self:
        paths = (self.traces_url_path, self.metrics_url_path, self.logs_url_path)
        if len(set(paths)) < len(paths):
            raise ValueError(
                f"otlp.http.traces_url_path, otlp.http.metrics_url_path, otlp.http.logs_url_path: {', '.join(paths)}: "
                "two signals on one path; write a path of its own for each"
            )
        return self


class Otlp(Section):
    """The way in."""

    grpc: OtlpGrpc = Field(default_factory=OtlpGrpc, description="OTLP over gRPC")
    http: OtlpHttp = Field(default_factory=OtlpHttp, description="OTLP over HTTP")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.grpc.endpoint.is_off and self.http.endpoint.is_off:
            raise ValueError(
                'otlp.grpc.endpoint = "", otlp.http.endpoint = "": nothing would be received; write an address for one of them'
            )
        return self
