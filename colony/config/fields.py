"""How the configuration's values are checked: each type's message says what would be right."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from colony.endpoint import Endpoint
from colony.quantity import ByteSize, Duration


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


def _named_port(value: object) -> Endpoint:
    found = _endpoint(value)
    if found.unix_path or not found.port:
        raise ValueError("write HOST:PORT, like agents.coral.svc:4319")
    return found


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


def _readable(value: Path) -> Path:
    if not (value.is_file() and os.access(value, os.R_OK)):
        raise ValueError("no such file, or not readable by this user; write the path of a file")
    return value


def _visible(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("write a name that can be seen")
    return value


def lower(value: object) -> object:
    """A word in lower case, for a choice that people also write in upper case."""
    return value.lower() if isinstance(value, str) else value


EndpointField = Annotated[Endpoint, PlainValidator(_endpoint)]
DnsEndpoint = Annotated[Endpoint, PlainValidator(_named_port)]
DurationField = Annotated[Duration, PlainValidator(Duration.of)]
SizeField = Annotated[ByteSize, PlainValidator(ByteSize.of)]
PathField = Annotated[Path, AfterValidator(_absolute)]
ReadableFile = Annotated[Path, AfterValidator(_absolute), AfterValidator(_readable)]
Name = Annotated[str, AfterValidator(_visible)]


def key(default: Any, meaning: str, **limits: int) -> Any:  # noqa: ANN401 as pydantic's Field
    """A key with its default and meaning; ``ge`` and ``le`` bound a number."""
    return Field(default, description=meaning, **limits)  # type: ignore[call-overload] # of the limits' values


def machine_key(default: Callable[[], Any], said: str, meaning: str) -> Any:  # noqa: ANN401 as pydantic's Field
    """A key whose default is the machine's; ``said`` tells it in words."""
    return Field(default_factory=default, description=meaning, json_schema_extra={"default": said})
