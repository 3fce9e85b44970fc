"""Where a configuration comes from, which file and which variables, and how all its problems are told at once."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from colony import errors
from colony.config.keys import Key, keys_of, near_miss, table_model, toml_value

PREFIX = "CORAL_COLONY__"
FILE_VARIABLE = "CORAL_COLONY_CONFIG"
_PLACES = (Path("coral-colony.toml"), Path("/etc/coral/colony.toml"))

Problem = str
"""One line: key, value, what would be right."""


def find_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: the one given, the environment's, the first that exists, or none.

    Raises:
        ConfigError: a file that was named does not exist; whether one exists cannot be seen.
    """
    for name, said in ((given, "--config"), (environ.get(FILE_VARIABLE), FILE_VARIABLE)):
        if name:
            if not _exists(Path(name)):
                raise errors.ConfigError(f'{said} = "{name}": no such file; write the path of a TOML file')
            return Path(name)
    return next((place for place in _PLACES if _exists(place)), None)


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        told = f"{path.absolute()}: {error.strerror}; name a file that can be read with --config, or go to another directory"
        raise errors.ConfigError(told) from error


def read_file(path: Path | None) -> dict[str, Any]:
    """The tables of a TOML file; none of no file.

    Raises:
        ConfigError: it cannot be read or is not TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}; write the path of a TOML file") from error
    except ValueError as error:
        raise errors.ConfigError(f"{path}: not TOML: {error}") from error


def read_environment(model: type[BaseModel], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The values under ``PREFIX``, and the names and tables among them that cannot be.

    Lists are comma-separated, tables JSON; a single key counts more than the JSON of its table.
    """
    lists = {key.path for key in keys_of(model) if key.is_list}
    of_tables = {key.path for key in keys_of(model) if key.is_list_of_tables}
    tables = _tables(model)
    known = {key.path for key in keys_of(model)} | tables
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in sorted(filter(lambda name: name.startswith(PREFIX), environ), key=lambda name: name.count("__")):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if path not in known:
            problems.append(f"{name}: unknown name{_suggested_name('.'.join(path), model)}")
            continue
        try:
            if path in of_tables:
                _put(values, path, _tables_of(environ[name]))
            else:
                _put(values, path, _decoded(environ[name], is_list=path in lists, is_table=path in tables))
        except ValueError:
            said = "a list of tables" if path in of_tables else "a table"
            like = '[{"key": "value"}]' if path in of_tables else '{"key": "value"}'
            problems.append(f"{name}: not {said}; write JSON, like {like}")
    return values, problems


def variable(path: tuple[str, ...]) -> str:
    """The environment's name for a key."""
    return PREFIX + "__".join(path).upper()


def _suggested_name(name: str, model: type[BaseModel]) -> str:
    _, found, key = near_miss(name, model).partition("did you mean ")
    return f"; did you mean {variable(tuple(key.rstrip('?').split('.')))}?" if found else ""


def _tables(model: type[BaseModel], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = set()
    for name, field in model.model_fields.items():
        if inner := table_model(field):
            found |= {(*path, name)} | _tables(inner, (*path, name))
    return found


def _decoded(text: str, *, is_list: bool, is_table: bool) -> object:
    if is_list:
        return [element.strip() for element in text.split(",") if element.strip()]
    if not is_table:
        return text
    table = json.loads(text)
    if not isinstance(table, dict):
        raise ValueError("not a table")  # noqa: TRY004 as json's own error
    return table


def _tables_of(text: str) -> list[object]:
    tables = json.loads(text)
    if not isinstance(tables, list):
        raise ValueError("not a list")  # noqa: TRY004 as json's own error
    return tables


def _put(values: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for part in path[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):  # the JSON of the table above has no table here: validation will say so
            return
        values = inner
    values[path[-1]] = value


def problems_of(error: ValidationError, model: type[BaseModel], from_environment: Mapping[str, Any]) -> list[Problem]:
    """One line per problem that validation found."""
    keys = {key.path: key for key in keys_of(model)}
    return [line for details in error.errors(include_url=False) for line in _lines(details, keys, model, from_environment)]


def _lines(
    details: ErrorDetails,
    keys: Mapping[tuple[str, ...], Key],
    model: type[BaseModel],
    from_environment: Mapping[str, Any],
) -> list[Problem]:
    path = tuple(part for part in details["loc"] if isinstance(part, str))
    entry = next((place for place, part in enumerate(details["loc"]) if isinstance(part, int)), None)
    if entry is not None and path[:entry] in keys and keys[path[:entry]].is_list_of_tables:
        return _lines_of_entry(details, entry, from_environment)
    name = ".".join(path)
    kind = details["type"]
    if kind == "extra_forbidden":
        return [f"{name}: unknown key{near_miss(name, model)}"]  # its value may be a secret under a misspelt name
    if kind == "missing":
        return [f"{name}: missing; the keys of {'.'.join(path[:-1])} are set together or not at all"]
    right = _what_is_right(details)
    if path not in keys:  # a table: a combination of its keys, which names them, or not a table at all
        return right.splitlines() if kind == "value_error" else [f"{name}: {right}"]
    origin = f" ({variable(path)})" if _has(from_environment, path) else ""
    return [f"{name} = {toml_value(details['input'])}{origin}: {right}"]


def _lines_of_entry(details: ErrorDetails, place: int, from_environment: Mapping[str, Any]) -> list[Problem]:
    """The problem of one table of a list: which one, which key of it; a header's value may be a secret."""
    path = tuple(str(part) for part in details["loc"][:place])
    inner = tuple(str(part) for part in details["loc"][place + 1 :])
    name = ".".join((f"{'.'.join(path)}[{details['loc'][place]}]", *inner))
    origin = f" ({variable(path)})" if _has(from_environment, path) else ""
    if details["type"] == "extra_forbidden":
        return [f"{name}{origin}: unknown key"]
    if details["type"] == "missing":
        return [f"{name}{origin}: missing; an entry of {'.'.join(path)} needs it"]
    said = f" = {toml_value(details['input'])}" if inner and inner[0] not in _SECRET else ""
    return [f"{name}{said}{origin}: {line}" for line in _what_is_right(details).splitlines()]


_SECRET = ("headers", "url")


def _has(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    inner: object = values
    for part in path:
        if not isinstance(inner, dict) or part not in inner:
            return False
        inner = inner[part]
    return True


_RIGHT = {
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write a text in quotes",
    "path_type": "write a path in quotes",
    "tuple_type": "write a list",
    "model_type": "write a table",
    "greater_than_equal": "write at least {ge}",
    "less_than_equal": "write at most {le}",
    "literal_error": "write {expected}",
    "value_error": "{error}",
}


def _what_is_right(details: ErrorDetails) -> str:
    template = _RIGHT.get(details["type"])
    right = template.format(**details.get("ctx", {})) if template else details["msg"]
    return right.replace("'", '"') if details["type"] == "literal_error" else right


def refusal(problems: list[Problem], file: Path | None) -> errors.ConfigError:
    """One error that tells every problem, one a line."""
    if len(problems) == 1:
        return errors.ConfigError(problems[0])
    source = f"{file} and the environment" if file else "the environment and the command line"
    return errors.ConfigError("\n".join([f"{len(problems)} problems in {source}:", *(f"  {line}" for line in problems)]))


def state_directory(environ: Mapping[str, str], *, is_root: bool | None = None) -> Path:
    """Where summaries lie: the system's place for root, else the user's by the XDG rules."""
    if os.geteuid() == 0 if is_root is None else is_root:
        return Path("/var/lib/coral-colony")
    state_home = environ.get("XDG_STATE_HOME", "")
    if Path(state_home).is_absolute():  # XDG: a relative path is to be ignored
        return Path(state_home) / "coral-colony"
    return Path.home() / ".local/state/coral-colony"
