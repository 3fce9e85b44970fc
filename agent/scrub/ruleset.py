"""The hash that names a set of rules: two agents with the same one scrub alike, but for the key of pseudonyms."""

from __future__ import annotations

import hashlib

import orjson

from agent.scrub import rules
from agent.scrub.rules import OwnRule, ScrubSettings

REVISION = 2
"""Of what the rules do beyond their data (checks, URL, SQL and address rules): part of the hash."""


def _described(own: OwnRule) -> list[object]:
    return [own.name, own.mode, own.pattern, sorted(own.keys), sorted(own.signals), sorted(own.places)]


def rules_hash(settings: ScrubSettings) -> str:
    """64 hexadecimal digits."""
    described = [
        REVISION,
        settings.profile,
        sorted(settings.allow_keys),
        [_described(own) for own in settings.rules],
        sorted((key, action.value) for key, action in (rules.EXACT_KEYS | rules.PREFIX_KEYS).items()),
        sorted((*place, *sorted(names)) for place, names in rules.DROPPED_NAMES.items()),
        [rules.MASKED_PHRASES, *map(sorted, (rules.MASKED_COMPOUNDS, rules.NOT_A_TOKEN, rules.URL_PARAMETERS))],
        [(rule.name, rule.pattern, rule.check.__name__, rule.overlap, rule.crowded) for rule in rules.VALUE_RULES],
    ]
    return hashlib.sha256(orjson.dumps(described)).hexdigest()
