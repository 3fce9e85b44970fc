"""How the configuration's values are checked: each type's message says what would be right."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from agent.endpoint import Endpoint
from agent.quantity import ByteSize, Duration

_URL_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_ORIGIN = re.compile(r"\*|[A-Za-z][A-Za-z0-9+.*-]*://[^\s/?#,]+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*(/\*)?")


class Section(BaseModel):
    """A table: no unknown keys, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


def at_least(least: Duration | ByteSize) -> AfterValidator:
    """A lower bound for a duration or a size."""

    def check(value: int) -> int:
        if value < least:
            raise ValueError(f'write at least "{least}"')
        return value

    return AfterValidator(check)


def _endpoint(value: object) -> Endpoint:
    return value if isinstance(value, Endpoint) else Endpoint.parse(value if isinstance(value, str) else "")


def _endpoint_or_off(value: object) -> Endpoint:
    if value == "":
        return Endpoint("", 0)
    try:
        return _endpoint(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "" for none') from error


def _url_path(value: str) -> str:
    path = value if value.startswith("/") else f"/{value}"
    if not _URL_PATH.fullmatch(path):
        raise ValueError("write a path of letters, digits and -._~/, like /v1/traces")
    return path


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("write origins as browsers say them, like https://app.example.com or https://*.example.com, or *")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("write the names of headers, or * for any")
    return value


def _text(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f'write it in quotes: "{value}"')  # noqa: TRY004 as pydantic's own errors
    return value


def _not_1_3(value: object) -> object:
    if value == "1.3":
        raise ValueError('gRPC cannot refuse TLS 1.2 alone; write "1.2" here: clients that know 1.3 get 1.3')
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


def _readable(value: Path) -> Path:
    if not (value.is_file() and os.access(value, os.R_OK)):
        raise ValueError("no such file, or not readable by this user; write the path of a PEM file")
    return value


def _spiffe_pattern(value: str) -> str:
    if not _SPIFFE.fullmatch(value):
        raise ValueError('write SPIFFE ids, like "spiffe://coral/colony/c1", with * only as the whole last segment')
    return value


def _visible(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("write a name that can be seen")
    return value


def _rule_name(value: str) -> str:
    if not _RULE_NAME.fullmatch(value):
        raise ValueError("write a name of a-z, 0-9 and _ that begins with a letter, at most 40 long")
    return value


def _re2_pattern(value: str) -> str:
    """RE2 takes time in proportion to the text: it knows no look-around and no back-references."""
    if not 0 < len(value) <= 1000:
        raise ValueError("write a pattern of 1 to 1000 characters")
    options = re2.Options()
    options.log_errors = False  # it would write to stderr past every log setting
    try:
        pattern = re2.compile(value, options)
    except re2.error as error:
        reason = error.args[0]
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{said}; write a pattern that RE2 knows: no look-around, no back-references") from error
    if pattern.fullmatch("") is not None:
        raise ValueError("it matches nothing at all everywhere; write a pattern that needs at least one character")
    return value


def lower(value: object) -> object:
    """A word in lower case, for a choice that people also write in upper case."""
    return value.lower() if isinstance(value, str) else value


def _socket_or_off(value: object) -> Endpoint:
    try:
        found = _endpoint_or_off(value)
    except ValueError:
        found = None
    if found is None or not (found.is_off or found.unix_path):
        raise ValueError('write unix:// and an absolute path, like "unix:///run/coral/agent.sock", or "" for none')
    return found


EndpointField = Annotated[Endpoint, PlainValidator(_endpoint)]
EndpointOrOff = Annotated[Endpoint, PlainValidator(_endpoint_or_off)]
SocketOrOff = Annotated[Endpoint, PlainValidator(_socket_or_off)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
Origin = Annotated[str, AfterValidator(_origin)]
HeaderName = Annotated[str, AfterValidator(_header)]
TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_text)]
GrpcTlsVersion = Annotated[Literal["1.2"], BeforeValidator(_not_1_3), BeforeValidator(_text)]
DurationField = Annotated[Duration, PlainValidator(Duration.of)]
SizeField = Annotated[ByteSize, PlainValidator(ByteSize.of)]
PathField = Annotated[Path, AfterValidator(_absolute)]
PemFile = Annotated[Path, AfterValidator(_absolute), AfterValidator(_readable)]
Name = Annotated[str, AfterValidator(_visible)]
RuleName = Annotated[str, AfterValidator(_rule_name)]
Re2Pattern = Annotated[str, AfterValidator(_re2_pattern)]
SpiffePattern = Annotated[str, AfterValidator(_spiffe_pattern)]


def key(default: Any, meaning: str, **limits: int) -> Any:  # noqa: ANN401 as pydantic's Field
    """A key with its default and meaning; ``ge`` and ``le`` bound a number."""
    return Field(default, description=meaning, **limits)  # type: ignore[call-overload] # of the limits' values


def machine_key(default: Callable[[], Any], said: str, meaning: str) -> Any:  # noqa: ANN401 as pydantic's Field
    """A key whose default is the machine's; ``said`` tells it in words."""
    return Field(default_factory=default, description=meaning, json_schema_extra={"default": said})


def whole_mib(least_mib: int, size_bytes: float, most_mib: int) -> ByteSize:
    """``size_bytes`` within bounds and in whole MiB, so that it reads well."""
    return ByteSize(max(least_mib, min(most_mib, int(size_bytes) >> 20)) << 20)
