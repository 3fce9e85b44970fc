"""The keys of a configuration model as a list: for the environment, the sample file, the reference, a near miss."""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path, its field, and whether a table may be left out altogether."""

    path: tuple[str, ...]
    field: FieldInfo
    section: str | None
    """What the table as a whole says of itself, when it may be left out: then its keys have no default."""

    @property
    def name(self) -> str:
        """As people say it: ``agents.poll``."""
        return ".".join(self.path)

    @property
    def table(self) -> str:
        """The table it stands in: ``agents``."""
        return ".".join(self.path[:-1])

    @property
    def is_list(self) -> bool:
        """Whether it holds a list."""
        return typing.get_origin(self.field.annotation) is tuple

    @property
    def is_list_of_tables(self) -> bool:
        """Whether it holds a list of tables, which the environment gives as JSON."""
        return self.is_list and any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in self._kinds)

    @property
    def _kinds(self) -> tuple[object, ...]:
        return typing.get_args(self.field.annotation)

    @property
    def left_out_default(self) -> object:
        """The default of a key whose table may be left out; None for a key that has none."""
        return None if self.section is None or self.field.is_required() else self.field.default

    @property
    def machine_default(self) -> str | None:
        """The default in words, when it is the machine's."""
        extra = self.field.json_schema_extra
        return str(extra["default"]) if isinstance(extra, dict) and "default" in extra else None


def table_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field that is a table, also one that may be left out."""
    if typing.get_origin(field.annotation) is tuple:
        return None
    for kind in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def keys_of(model: type[BaseModel], path: tuple[str, ...] = (), section: str | None = None) -> Iterator[Key]:
    """Every key, a table's own before those of its tables, as TOML wants them."""
    tables = []
    for name, field in model.model_fields.items():
        inner = table_model(field)
        if inner is None:
            yield Key((*path, name), field, section)
        else:
            tables.append((name, inner, section if field.is_required() or field.default_factory else field.description))
    for name, inner, said in tables:
        yield from keys_of(inner, (*path, name), said)


def near_miss(name: str, model: type[BaseModel]) -> str:
    """``; did you mean …?`` when a key looks like ``name``, whole or in its last part."""
    names = [key.name for key in keys_of(model)]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not close:
        last = name.rpartition(".")[2]
        close = [known for known in names if known.rpartition(".")[2] == last][:1]
    return f"; did you mean {close[0]}?" if close else ""


def toml_value(value: object) -> str:
    """A value as TOML writes it; quantities, endpoints and paths as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        value = {name: getattr(value, name) for name in fields if getattr(value, name) != fields[name].default}
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_bare_key(name)} = {toml_value(content)}" for name, content in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(element) for element in value) + "]"
    return json.dumps(str(value))  # TOML's basic strings escape as JSON's do


def _bare_key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)


def value_at(config: BaseModel, key: Key) -> object:
    """What ``config`` has under ``key``; None where nothing is set."""
    value: object = config
    for part in key.path:
        value = getattr(value, part, None)
    return value


def effective_toml(config: BaseModel) -> str:
    """Every key with the value in force; those without one are commented out."""
    return _toml(config, lambda key: [])


def sample_toml(defaults: BaseModel) -> str:
    """Every key with its meaning and default; those without one or with the machine's are commented out."""
    return _toml(defaults, lambda key: [f"# {key.field.description}."], is_sample=True)


def _toml(config: BaseModel, comments: Callable[[Key], Iterable[str]], *, is_sample: bool = False) -> str:
    lines: list[str] = []
    for table, keys in groupby(keys_of(type(config)), key=lambda key: key.table):
        entries = list(keys)
        is_left_out = all(value_at(config, key) is None for key in entries) and entries[0].section is not None
        if table:
            lines.append(f"{'# ' if is_left_out else ''}[{table}]")
        for key in entries:
            lines += comments(key)
            lines.append(_line(config, key, is_sample=is_sample))
        lines.append("")
    return "\n".join(lines)


def _line(config: BaseModel, key: Key, *, is_sample: bool) -> str:
    if is_sample and key.machine_default:
        return f"# {key.path[-1]} =  # default: {key.machine_default.replace(chr(96), '')}"
    value = value_at(config, key)
    if value is not None:
        return f"{key.path[-1]} = {toml_value(value)}"
    default = key.left_out_default
    return f"# {key.path[-1]} =" if default is None else f"# {key.path[-1]} = {toml_value(default)}"


def reference_table(defaults: BaseModel) -> str:
    """A Markdown table of every key, its default and its meaning."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key in keys_of(type(defaults)):
        value = key.left_out_default if key.section else value_at(defaults, key)
        default = key.machine_default or ("none" if value is None else f"`{toml_value(value)}`")
        rows.append(f"| `{key.name}` | {default} | {(key.field.description or '').replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"
