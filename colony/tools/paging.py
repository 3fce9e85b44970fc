"""One page for a model: asked, told within the budget, and asked again for fewer rows when not all could be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from colony.answer.figures import tell_summary
from colony.answer.names import did_you_mean
from colony.answer.rows import Page
from colony.answer.told import Told
from colony.answer.words import one_line, time_text
from colony.desk import Reply
from colony.errors import InvalidQuestion
from colony.question import Answer, Question
from colony.signals import Request, Signal
from colony.tools.tool import CALLER, Place, Surroundings

_ATTEMPTS = 5
Tell = Callable[[Page, int], Told]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page as a tool wants it; ``last_ns`` is None for all that is kept of a trace."""

    signal: Signal
    request: Request
    last_ns: int | None
    limit: int
    cursor: str
    what: str
    one: str
    many: str = ""


def question_of(here: Surroundings, wanted: Wanted) -> tuple[Question, Place]:
    """The question, behind the place that its cursor names.

    Raises:
        InvalidQuestion: the cursor is not known.
    """
    place = here.bookmarks.get(wanted.cursor) if wanted.cursor else Place("")
    return _question(wanted, place, wanted.limit), place


def _question(wanted: Wanted, place: Place, limit: int) -> Question:
    request = type(wanted.request)()
    request.CopyFrom(wanted.request)  # type: ignore[arg-type] # of the same signal
    last_ns = wanted.last_ns
    if place.start_ns is not None:
        request.start_time.FromNanoseconds(place.start_ns)
        last_ns = None
    if place.end_ns is not None:
        request.end_time.FromNanoseconds(place.end_ns)
        last_ns = None
    return Question(wanted.signal, request, last_ns, limit, place.cursor, CALLER)


async def paged(here: Surroundings, wanted: Wanted, tell: Tell) -> Told:
    """The page, with a cursor behind the last row that is told.

    Raises:
        InvalidQuestion: nobody has the service, or the cursor is not of this question.
    """
    question, place = question_of(here, wanted)
    reply = await here.desk.find(question)
    if reply.instead is not None:
        return tell_summary(reply.instead, here.answer_tokens, instead_of=reply.answer.missing, note=reply.note)
    told = tell(page_of(here, wanted, reply.answer), here.answer_tokens)
    for _ in range(_ATTEMPTS):
        if told.rows == len(reply.answer.rows):
            break
        if not place.cursor:  # the window of a first page moves: fix it, so that the shorter page begins alike
            place = Place("", reply.answer.start_ns, reply.answer.end_ns)
        reply = await here.desk.find(_question(wanted, place, max(1, told.rows)))
        told = tell(page_of(here, wanted, reply.answer), here.answer_tokens)
    if not reply.answer.cursor:
        return told
    name = here.bookmarks.put(replace(place, cursor=reply.answer.cursor))
    return tell(page_of(here, wanted, reply.answer, name), here.answer_tokens)


def page_of(here: Surroundings, wanted: Wanted, answer: Answer, cursor: str = "", notes: Sequence[str] = ()) -> Page:
    """An answer as a page."""
    return Page(
        answer, answer.rows, wanted.what, wanted.one, wanted.many, notes=notes, cursor=cursor, horizon=horizon(here, answer)
    )


def horizon(here: Surroundings, answer: Answer) -> str:
    """Since when the agents that were asked keep spans, when that is later than the window begins."""
    since = since_ns(here, answer)
    if since is None or answer.start_ns is None or since <= answer.start_ns:
        return ""
    return f"some agents keep nothing before {time_text(since)}"


def since_ns(here: Surroundings, answer: Answer) -> int | None:
    """Since when all the agents that were asked keep what they get; None when nobody said."""
    asked = {outcome.agent for outcome in answer.outcomes}
    known = [agent.inventory.since_ns for agent in here.desk.agents if agent.name in asked and agent.inventory]
    return max(known, default=None)


def unknown_service(here: Surroundings, service: str) -> str:
    """Why there is nothing of a service, when no agent lists it; else nothing."""
    known = here.desk.services()
    if not service or service in known:
        return ""
    silent = [agent.name for agent in here.desk.agents if agent.inventory is None]
    doubt = f" ({len(silent)} agents never said what they have)" if silent else ""
    return f'no agent has the service "{one_line(service, 80)}"{doubt}; {did_you_mean(service, known)}'


def check_service(here: Surroundings, service: str, reply: Reply) -> None:
    """Refuse an answer without rows of a service that nobody has.

    Raises:
        InvalidQuestion: proposes the names that are near.
    """
    if not reply.answer.rows and not reply.answer.missing:
        reason = unknown_service(here, service)
        if reason:
            raise InvalidQuestion(reason)


async def near_operations(here: Surroundings, service: str, operation: str) -> str:
    """A proposal for an operation that the service does not have; nothing when it has it."""
    names = (await here.desk.names(service, CALLER)).names
    known = {one.name for one in names.operations}
    return "" if operation in known else f'no operation "{one_line(operation, 80)}"; {did_you_mean(operation, known)}'


async def near_metrics(here: Surroundings, service: str, metric: str) -> str:
    """The same for a metric."""
    names = (await here.desk.names(service, CALLER)).names
    known = {one.name for one in names.metrics}
    return "" if metric in known else f'no metric "{one_line(metric, 80)}"; {did_you_mean(metric, known)}'
