"""What a service calls things: ``coral_list_names``."""

from __future__ import annotations

from colony.answer.names import tell_names
from colony.answer.told import Told
from colony.errors import InvalidQuestion
from colony.tools.arguments import Arguments, Service, service_of
from colony.tools.paging import unknown_service
from colony.tools.tool import CALLER, Surroundings, Tool


class ListNames(Arguments):
    """Of which service."""

    service_name: Service


async def _answer(here: Surroundings, asked: ListNames) -> Told:
    service = service_of(asked.service_name)
    told = tell_names(await here.desk.names(service, CALLER), asked.service_name, here.answer_tokens)
    reason = "" if told.rows or told.structured.get("missing_count") else unknown_service(here, service)
    if reason:
        raise InvalidQuestion(reason)
    return told


TOOL = Tool(
    "coral_list_names",
    "Names of a service",
    "Operations, metrics and attribute keys (with an example) of a service: take filters from here instead of guessing.",
    ListNames,
    _answer,
)
