"""What there is to ask for: services with their agents, and the operations, metrics and attribute keys of one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.answer.told import Facts, Told, head_of, missing_text, room, told
from colony.answer.words import counted, duration_text, kind_text, listed, one_line, plain, size_of, time_text
from colony.outcome import Outcome, Result
from colony.question import NamesAnswer
from colony.registry.agents import Kept, Known

Services = Mapping[str, Mapping[str, Mapping[str, Kept]]]


def near(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Names that ``name`` may have meant, the nearest first."""
    every = {one.lower(): one for one in known}
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, every, n=most, cutoff=0.6)
    close += [one for one in every if wanted and (wanted in one or one in wanted) and one not in close]
    return [every[one] for one in close[:most]]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean a or b?``; the names there are when none is near."""
    every = sorted(known)
    close = near(name, every)
    if close:
        return f"did you mean {' or '.join(one_line(one, 80) for one in close)}?"
    return f"there are: {listed(every, 12, 60)}" if every else "there is none"


def silent(agents: Iterable[Known]) -> list[Outcome]:
    """The agents whose last poll failed, as outcomes."""
    return [
        Outcome(known.name, known.result or Result.UNREACHABLE, known.reason or "not asked yet")
        for known in agents
        if known.result is not Result.ANSWERED and not known.stands_behind
    ]


def tell_services(services: Services, agents: Sequence[Known], now_ns: int, tokens: int) -> Told:
    """Every service: spans, log records, data points, how fresh, on which agents; then the agents."""
    missing = silent(agents)
    asked = [known for known in agents if not known.stands_behind]
    what = f"{counted(len(services), 'service')} on {counted(len(asked), 'agent')}, as polled within the last seconds"
    facts = Facts(0, len(services), missing=missing)
    absent = missing_text(missing, len(asked))
    space = room(head_of(what, absent, "99,999 services not shown"), facts, tokens)
    lines: list[str] = []
    for name in sorted(services):
        line = _service_line(name, services[name], now_ns)
        space -= size_of(line) + 1
        if space < 0:
            break
        lines.append(line)
    shown = len(lines)
    for known in asked:
        line = _agent_line(known, now_ns)
        space -= size_of(line) + 1
        if space < 0:
            break
        lines.append(line)
    cut = f"{counted(len(services) - shown, 'service')} not shown" if shown < len(services) else ""
    return told(head_of(what, absent, cut), lines, Facts(shown, len(services), missing=missing), shown)


def _service_line(name: str, signals: Mapping[str, Mapping[str, Kept]], now_ns: int) -> str:
    counts = [f"{signal}={sum(kept.rows for kept in by.values())}" for signal, by in sorted(signals.items(), reverse=True)]
    newest = max((kept.latest_ns for by in signals.values() for kept in by.values()), default=now_ns)
    agents = sorted({agent for by in signals.values() for agent in by})
    fresh = f"newest {duration_text(max(0, now_ns - newest))} ago"
    return f"{one_line(name, 80)} {' '.join(counts)} {fresh} @{listed(agents, 4, 40).replace(', ', ',')}"


def _agent_line(known: Known, now_ns: int) -> str:
    inventory = known.inventory
    state = known.result.replace("_", " ") if known.result else "new"
    if inventory is None:
        return f"agent {one_line(known.name, 60)}: {state}"
    kept = f"keeps spans since {time_text(inventory.since_ns)} ({duration_text(max(0, now_ns - inventory.since_ns))})"
    clock = f", its clock is {inventory.shift_ns / 1e9:+.1f}s off" if inventory.shift_ns else ""
    return f"agent {one_line(known.name, 60)}: {state}, {kept}{clock}"


def tell_names(answer: NamesAnswer, service: str, tokens: int) -> Told:
    """Names, most frequent first; each kind has a third of the budget, and what one leaves goes to the next."""
    names = answer.names
    total = len(names.operations) + len(names.metrics) + len(names.attribute_keys)
    what = (
        f"names of {one_line(service, 60)}: {counted(len(names.operations), 'operation')}, "
        f"{counted(len(names.metrics), 'metric')}, {counted(len(names.attribute_keys), 'attribute key')}"
    )
    missing = missing_text(answer.missing, len(answer.outcomes))
    notes = [one_line(warning, 180) for warning in names.warnings]
    facts = Facts(0, total, missing=answer.missing, notes=notes)
    space = room(head_of(what, missing, "99,999 names not shown"), facts, tokens)
    kinds = (
        ("operations (spans, errors):", [_operation_text(one) for one in names.operations]),
        ("metrics (data points):", [_metric_text(one) for one in names.metrics]),
        ("attribute keys (signal, an example):", [_key_text(one) for one in names.attribute_keys]),
    )
    lines, shown = [], 0
    for at, (title, texts) in enumerate(kinds):
        share = space // (len(kinds) - at)
        kept = _held(texts, share - size_of(title) - 1)
        if kept:
            lines += [title, *kept]
            space -= size_of(title) + 1 + sum(size_of(text) + 1 for text in kept)
            shown += len(kept)
    cut = f"{counted(total - shown, 'name')} not shown" if shown < total else ""
    return told(head_of(what, missing, cut), lines, Facts(shown, total, missing=answer.missing, notes=notes), shown)


def _held(texts: Iterable[str], space: int) -> list[str]:
    kept = []
    for text in texts:
        space -= size_of(text) + 1
        if space < 0:
            break
        kept.append(text)
    return kept


def _operation_text(one: api.Operation) -> str:
    errors = f", {one.errors} errors" if one.errors else ""
    return f"{one_line(one.name, 100)} {kind_text(one.kind)} ({one.spans}{errors})".replace("  ", " ")


def _metric_text(one: api.MetricName) -> str:
    kind = api.MetricType.Name(one.type).removeprefix("METRIC_TYPE_").lower()
    about = f": {one_line(one.description, 80)}" if one.description else ""
    unit = f" [{one_line(one.unit, 24)}]" if one.unit else ""
    return f"{one_line(one.name, 100)} {kind}{unit} ({one.data_points}){about}"


def _key_text(one: api.AttributeKey) -> str:
    return f"{one_line(one.key, 100)} ({one.signal}) {one_line(plain(one.example), 60)}"
