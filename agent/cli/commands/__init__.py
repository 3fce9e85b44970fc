"""The commands, one file for those that belong together; to import this is to register them all."""

from agent.cli.commands import explain, kept, logs, metrics, purge, spans
from agent.cli.commands.program import REFUSED, commands, console, fail, loaded

__all__ = ["REFUSED", "commands", "console", "explain", "fail", "kept", "loaded", "logs", "metrics", "purge", "spans"]
