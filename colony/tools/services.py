"""What there is: ``coral_list_services``."""

from __future__ import annotations

from colony.answer.names import tell_services
from colony.answer.told import Told
from colony.tools.arguments import Arguments
from colony.tools.tool import Surroundings, Tool


class ListServices(Arguments):
    """Nothing."""


async def _answer(here: Surroundings, _: ListServices) -> Told:
    if not here.desk.registry.has_polled:
        await here.desk.registry.poll()
    return tell_services(here.desk.services(), here.desk.agents, here.clock.now_ns(), here.answer_tokens)


TOOL = Tool(
    "coral_list_services",
    "Services",
    "Every service with its spans, log records and data points, how fresh they are and on which agents; and the agents.",
    ListServices,
    _answer,
)
