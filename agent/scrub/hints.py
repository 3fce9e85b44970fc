"""One search over raw bytes that finds every place where some rule may change something, and little else.

Attributes are searched as wire bytes, so keys, nested keys and JSON inside strings are seen as well. A string without a hint
leaves as it is; the property tests hold it to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.scrub import rules
from agent.scrub.characters import ODD, odd_bytes
from agent.scrub.engine import HINTS, Search
from agent.scrub.rules import Action

URL = rf"//[^\x00-\x20]*@|(?:(?i:{'|'.join(sorted(rules.URL_PARAMETERS))})|%[0-9A-Fa-f]{{2}}[^=?&#;\s]*)="
_JSON_ESCAPE = r"\\u[0-9A-Fa-f]"
_GAP = "s?[0-9]*[^0-9A-Za-z]*"
"""What may stand between two words of a key: a plural, a number, signs."""
_NOT_PRIVATE = r"(?:[^\x12]|\x12\C(?:[^\x0a]|\x0a\C(?:[^1]|1(?:[^0]|0(?:[^.]|\.[^\x00-\x1f]*,)))))"
"""Behind an address key: anything but a string that begins with 10. and is no list. Half of all spans have such a peer."""


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words))


def _dropped() -> str:
    """The names of headers and metadata, with either sign between their words."""
    names = {name for listed in rules.DROPPED_NAMES.values() for name in listed}
    return _any(re.escape(name).replace(r"\-", "[_-]") for name in names)


def _keys() -> str:
    """The key rules' keys and words, wherever they stand: a key may be nested in a value, or be part of JSON."""
    exact = {action: [key for key, its in rules.EXACT_KEYS.items() if its is action] for action in Action}
    addresses = _any(map(re.escape, exact[Action.TRUNCATE]))
    whole = _any(
        re.escape(key)
        for key in (*rules.EXACT_KEYS, *rules.PREFIX_KEYS)
        if rules.EXACT_KEYS.get(key) not in (Action.TRUNCATE, Action.URL)  # a URL that changes has a hint of its own
    )
    phrases = _any(_GAP.join(phrase) for phrase in rules.MASKED_PHRASES)
    return f"(?i:{addresses}){_NOT_PRIVATE}|(?i:{whole}|{phrases}|{_any(rules.MASKED_COMPOUNDS)}|{_dropped()})"


VALUE_HINTS = [*(rule.hint for rule in rules.VALUE_RULES), URL]
SUSPECT = Search("|".join([odd_bytes(ODD), _keys(), _JSON_ESCAPE, *VALUE_HINTS]).encode(), HINTS)
