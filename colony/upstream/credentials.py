"""What is sent with every request and never told: the bearer token, the tenant and other headers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from colony.upstream.faults import NotAllowed

_HIDDEN = "[hidden]"
_LEAST_HIDDEN = 4
"""A shorter value stands in too many innocent words to be taken out."""


@dataclass(frozen=True)
class Credentials:
    """Where each value comes from; it is read when it is needed, so that a changed file counts at once.

    ``headers`` has texts, ``env:NAME`` or ``file:/PATH``.
    """

    token_file: Path | None = field(default=None, repr=False)
    token_env: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def current(self) -> dict[str, str]:
        """The headers to send.

        Raises:
            NotAllowed: one cannot be had; says which, never its value.
        """
        found = {name: self._value(name, said) for name, said in self.headers.items()}
        if self.token_file is not None:
            found["Authorization"] = f"Bearer {self._file('bearer_token_file', self.token_file)}"
        elif self.token_env:
            found["Authorization"] = f"Bearer {self._variable('bearer_token_env', self.token_env)}"
        return found

    def hidden(self, text: str) -> str:
        """A server's words without anything that was sent to it."""
        try:
            values = self.current().values()
        except NotAllowed:
            return text
        secrets = {part for value in values for part in (value, value.removeprefix("Bearer "))}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _LEAST_HIDDEN:
                text = text.replace(secret, _HIDDEN)
        return text

    def _value(self, name: str, said: str) -> str:
        kind, _, rest = said.partition(":")
        if kind == "env":
            return self._variable(f"headers.{name}", rest)
        if kind == "file":
            return self._file(f"headers.{name}", Path(rest))
        return said

    def _variable(self, key: str, name: str) -> str:
        return _sendable(key, self.environ.get(name, ""), f"the environment has no {name}, or not one line of ASCII")

    def _file(self, key: str, path: Path) -> str:
        try:
            text = path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise NotAllowed(f"{key}: its file cannot be read as ASCII text") from error
        return _sendable(key, text, "its file does not hold one line of ASCII")


def _sendable(key: str, text: str, otherwise: str) -> str:
    value = text.strip()
    if not value or not (value.isascii() and value.isprintable()):
        raise NotAllowed(f"{key}: {otherwise}")
    return value
