"""Arguments of tools: strict, with schemas of few words and refusals that say what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from coral.agent.v1 import telemetry_query_pb2 as api
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from colony.answer.names import did_you_mean
from colony.answer.words import one_line
from colony.errors import InvalidQuestion
from colony.quantity import Duration

EVERY = "*"
"""As a service: all of them."""

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_NOISE = ("title",)


class Arguments(BaseModel):
    """The arguments of a tool: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Given = TypeVar("Given", bound=Arguments)


def _window(value: str) -> str:
    try:
        duration = Duration.of(value.removeprefix("last ").strip())
    except ValueError as error:
        raise ValueError('write how far to look back, like "5m", "90s" or "1h"') from error
    if not 0 < duration <= Duration.of("7d"):
        raise ValueError('write more than nothing and at most "7d"')
    return str(duration)


def _trace_id(value: str) -> str:
    if value and not _TRACE_ID.fullmatch(value.strip()):
        raise ValueError("write all 32 hexadecimal digits of the trace id")
    return value.strip().lower()


Service = Annotated[str, StringConstraints(min_length=1, max_length=1024), Field(description='Exact name; "*" for every one')]
TimeRange = Annotated[str, AfterValidator(_window), Field(description='How far back, like "5m" or "1h"')]
TraceId = Annotated[str, AfterValidator(_trace_id), Field(description="32 hex digits")]
Limit = Annotated[int, Field(ge=1, le=200)]
Cursor = Annotated[str, StringConstraints(max_length=64), Field(description="Of the answer before")]
Attributes = Annotated[
    Mapping[str, str | bool | int | float], Field(max_length=20, description="All must match, span or record attributes")
]


def window_ns(time_range: str) -> int:
    """A checked time range in nanoseconds."""
    return Duration.of(time_range).ns


def service_of(name: str) -> str:
    """As agents are asked: empty for every service."""
    return "" if name == EVERY else name


def filters_of(attributes: Mapping[str, str | bool | int | float]) -> list[api.AttributeFilter]:
    """As agents compare: a bare number or true/false also finds the typed value."""
    return [
        api.AttributeFilter(key=key, value=str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in attributes.items()
    ]


def schema_of(model: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema without what a model can guess."""
    schema: dict[str, Any] = _bare(model.model_json_schema())
    schema.pop("description", None)
    return schema


def _bare(value: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _bare(one) for key, one in value.items() if not (key in _NOISE and isinstance(one, str))}
    if kept.get("default") in ("", {}, 0, False):
        del kept["default"]
    for bound in ("minLength", "maxLength", "maxProperties"):
        kept.pop(bound, None)
    return kept


def checked(model: type[Given], arguments: Mapping[str, Any]) -> Given:
    """The arguments.

    Raises:
        InvalidQuestion: every problem at once; a name that is near is proposed.
    """
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        problems = [_problem(details, model) for details in error.errors(include_url=False)[:8]]
        raise InvalidQuestion("; ".join(problems)) from error


def _problem(details: ErrorDetails, model: type[Arguments]) -> str:
    name = ".".join(one_line(str(part), 60) for part in details["loc"][:2])
    if details["type"] == "extra_forbidden":
        return f"{name}: no such argument; {did_you_mean(name, model.model_fields)}"
    if details["type"] == "missing":
        about = model.model_fields[name].description if name in model.model_fields else ""
        return f"{name}: required" + (f" ({about})" if about else "")
    said = details["msg"].removeprefix("Value error, ")
    shown = one_line(str(details["input"]), 60)
    return f"{name}: {said}, not {shown!r}"
