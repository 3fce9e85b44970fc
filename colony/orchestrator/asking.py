"""Many agents at once: bounded, each with a deadline inside the caller's, each with an outcome."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from colony.outcome import AgentFailure, Outcome, Result, one_line
from colony.registry.agents import Known
from colony.registry.registry import Registry

Got = TypeVar("Got")

_MARGIN_SECONDS = 0.05
"""Of the caller's time, kept for putting the answer together."""


@dataclass(frozen=True, slots=True)
class AskSettings:
    """``[agents]``, as far as asking needs it."""

    deadline_seconds: float = 2.0
    max_in_flight: int = 64


class Asker:
    """Asks agents on behalf of questions, at most ``max_in_flight`` at a time."""

    def __init__(self, registry: Registry, settings: AskSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._places = asyncio.Semaphore(settings.max_in_flight)

    def asking(self, timeout_seconds: float) -> Asking:
        """One question's asking, which must be over in this time."""
        return Asking(self, time.monotonic() + max(0.0, timeout_seconds - _MARGIN_SECONDS))

    async def call(self, known: Known, rpc: str, request: Any, deadline: float) -> Any:  # noqa: ANN401 generated, untyped
        """One agent's response; ``deadline`` is of the monotonic clock.

        Raises:
            AgentFailure: it did not answer.
        """
        remaining = min(self._settings.deadline_seconds, deadline - time.monotonic())
        if remaining <= 0:
            raise AgentFailure(Result.TIMED_OUT, "no time was left to ask it")
        until = time.monotonic() + remaining
        patience = asyncio.timeout(remaining) if self._places.locked() else contextlib.nullcontext()
        try:
            async with patience:
                await self._places.acquire()
        except TimeoutError as error:
            raise AgentFailure(Result.TIMED_OUT, "too many requests to agents were under way to ask it") from error
        try:
            return await self._registry.call(known, rpc, request, until - time.monotonic())
        finally:
            self._places.release()


@dataclass(slots=True)
class _Tally:
    """What is known of one agent so far; ``result`` is None while it is asked for the first time."""

    result: Result | None = None
    reason: str = ""
    rows: int = 0
    seconds: float = 0.0
    warnings: dict[str, None] = field(default_factory=dict)
    """In the order in which they came, each once."""


class Asking:
    """The outcomes of one question, agent by agent."""

    def __init__(self, asker: Asker, deadline: float) -> None:
        self._asker = asker
        self.deadline = deadline
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each agent that was asked, by name."""
        return tuple(
            Outcome(name, tally.result, tally.reason, tally.rows, tally.seconds, tuple(tally.warnings))
            for name, tally in sorted(self._tallies.items(), key=lambda each: each[0])
            if tally.result is not None
        )

    @property
    def silent(self) -> frozenset[str]:
        """The agents whose rows are missing."""
        return frozenset(name for name, tally in self._tallies.items() if tally.result not in (None, Result.ANSWERED))

    async def call(self, known: Known, rpc: str, request: Any) -> Any:  # noqa: ANN401 generated, untyped
        """One agent's response.

        Raises:
            AgentFailure: it did not answer.
        """
        return await self._asker.call(known, rpc, request, self.deadline)

    async def each(self, agents: Iterable[Known], ask: Callable[[Known], Awaitable[Got]]) -> dict[str, Got]:
        """What ``ask`` gets of each agent that answers; of the others the outcome says why not."""
        found: dict[str, Got] = {}

        async def one(known: Known) -> None:
            began = time.monotonic()
            try:
                found[known.name] = await ask(known)
                self._note(known.name, Result.ANSWERED, "", began)
            except AgentFailure as failure:
                self._note(known.name, failure.result, failure.reason, began)

        async with asyncio.TaskGroup() as tasks:
            for known in agents:
                tasks.create_task(one(known))
        return found

    def fail(self, agent: str, result: Result, reason: str) -> None:
        """Note that an agent's rows are missing."""
        self._tallies[agent] = _Tally(result, reason)

    def count(self, agent: str, rows: int, warnings: Iterable[str] = ()) -> None:
        """Note how many rows of an agent are in the answer, and what it said is missing."""
        tally = self._tallies[agent]
        tally.rows += rows
        tally.warnings.update(dict.fromkeys(map(one_line, warnings)))

    def _note(self, agent: str, result: Result, reason: str, began: float) -> None:
        tally = self._tallies[agent]
        tally.result, tally.reason = result, reason
        tally.seconds += time.monotonic() - began
