"""One request, whole: ``coral_reconstruct_trace``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from colony.answer.span import tell_span
from colony.answer.told import Told
from colony.answer.trace import tell_trace
from colony.errors import InvalidQuestion
from colony.tools.arguments import Arguments, TraceId
from colony.tools.tool import CALLER, Surroundings, Tool


class ReconstructTrace(Arguments):
    """Which trace, or which span of it."""

    trace_id: TraceId
    span_id: Annotated[
        str, Field(pattern="^[0-9a-fA-F]{0,16}$", description="Or its first digits: this span with every attribute")
    ] = ""


async def _answer(here: Surroundings, asked: ReconstructTrace) -> Told:
    answer = await here.desk.trace(asked.trace_id, CALLER)
    if not asked.span_id or not answer.trace.nodes:
        return tell_trace(answer, here.answer_tokens)
    wanted = asked.span_id.lower()
    numbers = [number for number, node in enumerate(answer.trace.nodes) if node.span.span_id.startswith(wanted)]
    ids = {answer.trace.nodes[number].span.span_id for number in numbers}
    if not numbers:
        raise InvalidQuestion(f"span_id: no span of this trace begins with {wanted}; take one from the trace's tree")
    if len(ids) > 1:
        raise InvalidQuestion(f"span_id: {len(ids)} spans begin with {wanted}; write more digits: {', '.join(sorted(ids)[:5])}")
    return tell_span(answer, numbers, here.answer_tokens)


TOOL = Tool(
    "coral_reconstruct_trace",
    "One request",
    "Every span of a trace from all agents as a tree: * is the critical path (what the request waited for), ! a failure, self "
    "the time in no child, {as 3f2a} the same attributes as that span. With span_id one span with every "
    "attribute, event and link, stack traces too.",
    ReconstructTrace,
    _answer,
)
