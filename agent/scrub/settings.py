"""What the configuration says of scrubbing, as the rules want it, and the key of pseudonyms."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from agent.config.model import Config, Rule
from agent.errors import ConfigError
from agent.scrub.rules import VALUE_RULES, Mode, OwnRule, ScrubSettings

TAKEN = frozenset(
    {rule.name for rule in VALUE_RULES}
    | {"key", "genai", "unlisted", "identity", "address", "url", "sql", "unstable", "crowded", "depth", "unreadable"}
)
"""Names under which the default rules count."""

LEAST_BYTES = 16
MADE_BYTES = 32


def settings_of(config: Config) -> ScrubSettings:
    """The rules that a configuration asks for.

    Raises:
        ConfigError: a rule's name is one of the default rules'.
    """
    for rule in config.scrub.rules:
        if rule.name in TAKEN:
            raise ConfigError(f'scrub.rules: "{rule.name}" is the name of a default rule; write another')
    rules = tuple(_own(rule) for rule in config.scrub.rules)
    return ScrubSettings(config.scrub.profile, frozenset(config.scrub.allow_keys), rules)


def _own(rule: Rule) -> OwnRule:
    keys = tuple(key.lower() for key in rule.keys)
    return OwnRule(rule.name, Mode(rule.mode), rule.pattern, keys, frozenset(rule.signals), frozenset(rule.places))


def key_file(config: Config) -> Path:
    """Where the key of pseudonyms lies."""
    return config.scrub.hmac_key_file or config.store.dir / "hmac.key"


def hmac_key(path: Path) -> bytes:
    """The key in this file, which is made when there is none: for its owner alone, whole or not at all.

    Raises:
        ConfigError: it cannot be made or read, or is too short.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f'scrub.hmac_key_file = "{path}": {error.strerror}; write the path of a file that this user can read or make'
        ) from error
    if len(key) < LEAST_BYTES:
        raise ConfigError(f'scrub.hmac_key_file = "{path}": {len(key)} bytes; a key has at least {LEAST_BYTES}')
    return key


def _make(path: Path) -> None:
    """Write a new key beside the path, then link it there: of two agents that do so at once, one key wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(MADE_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
