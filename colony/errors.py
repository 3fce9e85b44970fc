"""Every error the colony raises on purpose. Messages may reach whoever asked: they never hold telemetry or paths.

``ConfigError`` alone may name paths; it only reaches the operator.
"""

from __future__ import annotations


class ColonyError(Exception):
    """The root of all errors the colony raises on purpose."""

    @property
    def message(self) -> str:
        """What is wrong and what would be right, in one line."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(ColonyError):
    """At start only: names the key and what to write instead."""


class InvalidQuestion(ColonyError):
    """A question that no agent could answer: names field, value and what is allowed."""


class SummariesUnavailable(ColonyError):
    """The store of summaries does not answer."""
