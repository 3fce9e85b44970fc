"""Many agents at once: bounded, each with a deadline inside the caller's, each with an outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
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
        try:
            async with asyncio.timeout(remaining):
                await self._places.acquire()
        except TimeoutError as error:
            raise AgentFailure(Result.TIMED_OUT, "too many requests to agents were under way to ask it") from error
        try:
            return await self._registry.call(known, rpc, request, until - time.monotonic())
        finally:
            self._places.release()


class Asking:
    """The outcomes of one question, agent by agent."""

    def __init__(self, asker: Asker, deadline: float) -> None:
        self._asker = asker
        self.deadline = deadline
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each agent that was asked, by name."""
        return tuple(self._outcomes[name] for name in sorted(self._outcomes))

    @property
    def all_answered(self) -> bool:
        """Whether nothing is missing."""
        return all(outcome.has_answered for outcome in self._outcomes.values())

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
        self._outcomes[agent] = Outcome(agent, result, reason)

    def count(self, agent: str, rows: int, warnings: Iterable[str] = ()) -> None:
        """Note how many rows of an agent are in the answer, and what it said is missing."""
        outcome = self._outcomes.get(agent)
        if outcome is not None:
            told = dict.fromkeys([*outcome.warnings, *map(one_line, warnings)])
            self._outcomes[agent] = replace(outcome, rows=outcome.rows + rows, warnings=tuple(told))

    def _note(self, agent: str, result: Result, reason: str, began: float) -> None:
        before = self._outcomes.get(agent)
        self._outcomes[agent] = Outcome(
            agent,
            result,
            reason,
            before.rows if before else 0,
            time.monotonic() - began + (before.seconds if before else 0.0),
            before.warnings if before else (),
        )
