"""Every error the agent raises on purpose: each class says whether a retry can help, each message what to do next.

``status.py`` maps the classes to gRPC and HTTP codes. Messages may reach a peer: they name fields, limits and reasons,
never telemetry, SQL, paths or tracebacks (``ConfigError`` alone may name paths; it only reaches the operator).
"""

from __future__ import annotations


class AgentError(Exception):
    """The root of all errors the agent raises on purpose."""

    @property
    def message(self) -> str:
        """What is wrong and what would be right, in one line."""
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(AgentError):
    """At start only: names the key and what to write instead."""


class DirectoryInUse(ConfigError):
    """Another agent has the data directory."""


class Rejected(AgentError):
    """The same input will always fail: do not retry."""


class MalformedExport(Rejected):
    """An export that is not OTLP."""


class InvalidQuery(Rejected):
    """A query with a field that cannot be: names field, value and what is allowed."""


class TooLarge(AgentError):
    """Over a size limit: do not retry."""


class Denied(AgentError):
    """This peer may not ask; one fixed text."""


class Overloaded(AgentError):
    """Try again soon."""


class QueueFull(Overloaded):
    """The write queue has no room for an export."""


class ShareFull(Overloaded):
    """A service has its share of the disk."""


class TooManyQueries(Overloaded):
    """As many queries run as are allowed."""


class DeadlinePassed(AgentError):
    """The answer would come too late."""


class Broken(AgentError):
    """The process cannot go on; it ends with this message."""


class StoreUnavailable(AgentError):
    """Ours: disk, reopening, draining. Try again."""
