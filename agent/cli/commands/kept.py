"""What an agent has and how it is set: the commands ``info``, ``names`` and ``check``."""

from __future__ import annotations

import sys

from coral.agent.v1 import telemetry_query_pb2 as api
from rich.console import RenderableType
from rich.text import Text

from agent.cli import ask
from agent.cli.commands.program import agent_at, commands, loaded, print_json, print_page
from agent.cli.groups import Asking, Windowed, grouped
from agent.cli.kept import limits_table, services_table
from agent.cli.names import keys_table, metrics_table, operations_table
from agent.cli.options import ConfigOption, Output
from agent.config.keys import effective_toml


@commands.command()
@grouped
def info(*, asking: Asking) -> None:
    """Show what the agent keeps, and under which limits and rules."""
    with agent_at(asking.agent()) as stub:
        answer = stub.GetDataInfo(api.GetDataInfoRequest(), timeout=ask.TIMEOUT_SECONDS)
    if asking.output is Output.JSON:
        print_json(answer)
        return
    services = services_table(answer) if answer.signals else Text("nothing is kept yet", "yellow")
    print_page([limits_table(answer), Text(), services], None, answer.warnings)


@commands.command()
@grouped
def names(*, windowed: Windowed) -> None:
    """List operations, metrics and attribute keys; without times, of all that is kept."""
    with agent_at(windowed.agent()) as stub:
        answer = stub.ListNames(api.ListNamesRequest(**windowed.narrowing()), timeout=ask.TIMEOUT_SECONDS)
    if windowed.output is Output.JSON:
        print_json(answer)
        return
    tables: list[RenderableType] = []
    if answer.operations:
        tables += [operations_table(answer.operations), Text()]
    if answer.metrics:
        tables += [metrics_table(answer.metrics), Text()]
    if answer.attribute_keys:
        tables += [keys_table(answer.attribute_keys)]
    print_page(tables or [Text("nothing is kept of it; what is: coral-agent info", "yellow")], None, answer.warnings)


@commands.command()
def check(config: ConfigOption = None) -> None:
    """Validate a configuration and print the effective one."""
    sys.stdout.write(effective_toml(loaded(config)))
