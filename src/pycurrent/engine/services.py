"""The services of an engine: the cache, the monitors, and what plugins share.

A service is asked for by the function (or the class) that makes it from the open engine. That is
its key, too: another runtime, one that runs nothing, may have another object stand in for it. Its
users know no more of it than the type that the function returns.

When the engine ends, the services are told before the pipeline is dropped. After that, what *stops*
comes first: jobs are cancelled while all that they use is still there. Then the services are
closed, the last one first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pycurrent.engine.open_engine import OpenEngine

T = TypeVar("T")


class EngineServices:
    """The services of one engine, and their hooks around its steps and at its end."""

    def __init__(self) -> None:
        self._made: dict[Callable[[Any], Any], Any] = {}
        self._after_step: list[Callable[[], None]] = []
        self._after_commit: list[Callable[[], None]] = []
        self._during_commit: list[Callable[[], bool]] = []
        self._before_settled: list[Callable[[], bool]] = []
        self._ending: list[Callable[[], Awaitable[None]]] = []
        self._stopping = AsyncExitStack()
        self._closing = AsyncExitStack()

    def get(self, kind: Callable[[OpenEngine], T], engine: OpenEngine) -> T:
        """The one object of this kind, made as `kind(engine)` when first asked for."""
        found: T | None = self._made.get(kind)
        if found is None:
            found = self._made[kind] = kind(engine)
        return found

    def after_step(self, hook: Callable[[], None]) -> None:
        self._after_step.append(hook)

    def after_commit(self, hook: Callable[[], None]) -> None:
        self._after_commit.append(hook)

    def during_commit(self, more: Callable[[], bool]) -> None:
        self._during_commit.append(more)

    def before_settled(self, look: Callable[[], bool]) -> None:
        self._before_settled.append(look)

    def on_end(self, end: Callable[[], Awaitable[None]]) -> None:
        self._ending.append(end)

    def on_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        self._stopping.push_async_callback(stop)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closing.push_async_callback(close)

    def step_taken(self) -> None:
        """Have them start what is wanted, and end what is not."""
        for hook in self._after_step:
            hook()

    def make_more(self) -> bool:
        """Have them go on with what they have put off, while a commit is at work."""
        made = [more() for more in self._during_commit]
        return any(made)

    def committed(self) -> None:
        """Let the work begin that they have started: it is recorded."""
        for hook in self._after_commit:
            hook()

    def look(self) -> bool:
        """Have them look once more for what nobody tells them; True if there was something."""
        found = [look() for look in self._before_settled]
        return any(found)

    async def end(self) -> None:
        """Have them do what they can do only while the pipeline is there."""
        for end in self._ending:
            await end()

    async def aclose(self) -> None:
        """End them, whatever they raise. Twice is fine."""
        try:
            await self._stopping.aclose()
        finally:
            await self._closing.aclose()
