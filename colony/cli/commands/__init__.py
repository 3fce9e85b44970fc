"""The commands, one file for those that belong together; to import this is to register them all."""

from colony.cli.commands import agents, records, summary, trace, upstreams
from colony.cli.commands.program import REFUSED, ConfigOption, commands, fail, leaves, loaded

__all__ = [
    "REFUSED",
    "ConfigOption",
    "agents",
    "commands",
    "fail",
    "leaves",
    "loaded",
    "records",
    "summary",
    "trace",
    "upstreams",
]
