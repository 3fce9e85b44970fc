"""Tools of other people's servers, offered beside the colony's own: arguments checked, answers bounded, Tempo's as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from colony.answer.foreign import tell_foreign, tell_found, tell_series
from colony.answer.names import did_you_mean
from colony.answer.told import Told
from colony.answer.trace import tell_trace
from colony.answer.words import one_line
from colony.errors import InvalidQuestion
from colony.merge import Sent
from colony.outcome import Outcome, Result
from colony.question import TraceAnswer
from colony.tools.tool import Surroundings
from colony.trace.whole import Gaps, trace_of
from colony.upstream.factory import Offered
from colony.upstream.faults import ToolFailed
from colony.upstream.history import SOURCE
from colony.upstream.said import Said
from colony.upstream.series import series
from colony.upstream.shapes import found_traces, hex_id, whole_trace
from colony.upstream.tempo import GET, INSTANT, RANGE, SEARCH, fault_of_text


async def answer(here: Surroundings, offered: Offered, arguments: Mapping[str, Any]) -> Told:
    """Call the tool.

    Raises:
        InvalidQuestion: the arguments do not fit the server's own schema.
        UpstreamError: it did not answer, or answered with an error.
    """
    check(offered.tool.input_schema, arguments)
    said = await offered.upstream.call(offered.tool.name, arguments)
    name = offered.upstream.name
    if said.is_error:
        raise (
            fault_of_text(name, said.text) if offered.upstream.is_tempo else ToolFailed(f"{name}: {one_line(said.text, 1500)}")
        )
    if offered.upstream.is_tempo:
        told = _of_tempo(here, offered, said, arguments)
        if told is not None:
            return told
    return tell_foreign(name, offered.tool.name, said.text, said.others, here.answer_tokens)


def check(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Compare arguments with a schema; references that lead out of it are not followed.

    Raises:
        InvalidQuestion: says what does not fit.
    """
    known = schema.get("properties")
    if isinstance(known, dict) and not schema.get("additionalProperties") and not schema.get("patternProperties"):
        unknown = next((name for name in arguments if name not in known), None)
        if unknown is not None:
            raise InvalidQuestion(f"{one_line(unknown, 60)}: no such argument; {did_you_mean(unknown, known)}")
    try:
        error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(dict(arguments)))
    except (SchemaError, Unresolvable, ValueError, TypeError):
        return  # a schema that nobody can check: its server will
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "arguments"
        raise InvalidQuestion(f"{one_line(where, 60)}: {one_line(error.message, 300)}")


def _of_tempo(here: Surroundings, offered: Offered, said: Said, arguments: Mapping[str, Any]) -> Told | None:
    """Tempo's answer as rows; None for a form that is not known."""
    try:
        document = said.structured if isinstance(said.structured, dict) else json.loads(said.text)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    name, query, tool = offered.upstream.name, str(arguments.get("query", "")), offered.tool.name
    if tool in (INSTANT, RANGE):
        return tell_series(name, query, series(document), here.answer_tokens)
    if tool == SEARCH:
        return tell_found(name, query, found_traces(document), here.answer_tokens)
    return _trace(here, offered, document, str(arguments.get("trace_id", ""))) if tool == GET else None


def _trace(here: Surroundings, offered: Offered, document: Mapping[str, Any], trace_id: str) -> Told:
    found = whole_trace(document)
    if found is None:
        wanted = hex_id(trace_id, 32) or one_line(trace_id, 60)
        raise InvalidQuestion(f"{offered.upstream.name} has no trace {wanted}; search for one first")
    source, now = SOURCE + offered.upstream.name, here.clock.now_ns()
    sent = [Sent(source, span) for span in found.spans]
    trace = trace_of(found.spans[0].trace_id, sent, Gaps(now, is_cut=found.is_partial))
    outcome = Outcome(source, Result.ANSWERED, rows=len(sent))
    return tell_trace(TraceAnswer(trace, (outcome,), now, ("no agent scrubbed these spans",)), here.answer_tokens)
