"""Cancel hooks: functions that are called when a job is cancelled, or ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar, copy_context
from datetime import timedelta
from typing import Any

from pycurrent.engine.clock import Clock
from pycurrent.engine.tasks import failure_by, failure_of, leave_alone, this_task, uncancellable
from pycurrent.term import Failed

Hook = Callable[[str], object] | Callable[[], object]
"""Called with the reason, or without it. It may be async."""

HOOK_LIMIT = timedelta(minutes=5)
"""How long a hook may take, on the engine's clock: the end of the job waits for it."""

HEEDS_WITHIN = timedelta(seconds=5)
"""How long a hook that took too long has to end once it is cancelled."""

_RUNNING: ContextVar[Hooks | None] = ContextVar("the hooks that run here", default=None)


class Hooks:
    """The hooks of one job.

    They *wait* until they are run, for a reason; each is called once, the latest first, and the
    next one when it has ended. A hook that is added after that is called at once. Their exceptions
    are logged, and stop nothing; a hook that takes too long is cancelled, and then left alone.
    """

    __slots__ = ("_chain", "_clock", "_context", "_hurry", "_late", "_log", "_reason", "_waiting")

    def __init__(self, log: Callable[[str], None], clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._waiting: dict[object, Hook] = {}
        self._reason: str | None = None
        """Why they were run; None while they wait."""
        self._context: Context | None = None
        """In which they are called, a copy of that in which the first was added: what they do can
        be told from what the work does, and prints to the same log.
        """
        self._chain: asyncio.Task[None] | None = None
        """Calls those that waited, from the first one on that is async."""
        self._late: list[asyncio.Task[None]] = []
        """Async ones that were added after that."""
        self._hurry: asyncio.Future[None] | None = None
        """Done when they are to take no time any more."""

    @property
    def have_run(self) -> bool:
        return self._reason is not None

    @property
    def run_here(self) -> bool:
        """True if one of them is the caller."""
        return _RUNNING.get() is self

    def add(self, hook: Hook) -> Callable[[], None]:
        """Have the hook called when they are run: at once, if they have been. Call what is
        returned to take it back, which does nothing once it was called.
        """
        token = object()
        if self._context is None:
            self._context = copy_context()
            self._context.run(_RUNNING.set, self)
        if self._reason is None:
            self._waiting[token] = hook
        elif (left := self._call(hook)) is not None:
            self._late.append(self._begin(self._to_the_end(hook, left)))

        def take_back() -> None:
            self._waiting.pop(token, None)

        return take_back

    def run(self, reason: str) -> None:
        """Call those that wait. Again, it only gives the reason for those to come."""
        self._reason = reason
        if self._chain is not None:
            return
        while self._waiting:
            _, hook = self._waiting.popitem()
            left = self._call(hook)
            if left is not None:
                self._chain = self._begin(self._go_on(hook, left))
                return

    async def ended(self) -> None:
        """Wait for the end of those that are async, if there are any, even if cancelled."""
        if self._chain is not None:
            await uncancellable(self._chain)
        while self._late:
            await uncancellable(self._late.pop(0))

    def hurry(self) -> None:
        """The one that has not ended is cancelled; again, it is left alone. Then comes the next."""
        hurry, self._hurry = self._hurry, None
        if hurry is not None:
            hurry.set_result(None)

    def _call(self, hook: Hook) -> Awaitable[Any] | None:
        """Call it; gives what is left to be awaited of one that is async."""
        assert self._context is not None
        # A copy, as a hook may be added by a hook that runs.
        context = self._context.copy()
        call: Callable[..., object] = hook
        try:
            result = context.run(call, *([self._reason] if _takes_argument(hook) else []))
        except BaseException as error:
            self._failed(failure_of(error, "it"))
            return None
        return result if inspect.isawaitable(result) else None

    def _begin(self, coroutine: Any) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(coroutine, context=self._context)

    async def _go_on(self, hook: Hook, left: Awaitable[Any]) -> None:
        """See one that is async to its end, and then call the others."""
        await self._to_the_end(hook, left)
        while self._waiting:
            _, hook = self._waiting.popitem()
            if (more := self._call(hook)) is not None:
                await self._to_the_end(hook, more)

    async def _to_the_end(self, hook: Hook, left: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(self._awaited(left))
        if await self._ends_within(task, HOOK_LIMIT):
            return
        name = getattr(hook, "__qualname__", None) or repr(hook)
        self._log(f"A cancel hook takes too long, and is cancelled: {name}")
        task.cancel()
        if not await self._ends_within(task, HEEDS_WITHIN):
            self._log(f"A cancel hook does not end, and is left alone: {name}")
            leave_alone(task)

    async def _ends_within(self, task: asyncio.Task[None], limit: timedelta) -> bool:
        if self._hurry is None:
            self._hurry = asyncio.get_running_loop().create_future()
        alarm = asyncio.ensure_future(self._clock.sleep(limit))
        try:
            await asyncio.wait([task, alarm, self._hurry], return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
        return task.done()

    async def _awaited(self, left: Awaitable[Any]) -> None:
        owner = this_task()
        try:
            await left
        except BaseException as error:
            self._failed(failure_by(error, "it", owner))

    def _failed(self, failure: Failed) -> None:
        self._log(f"A cancel hook failed: {failure.message}")


def _takes_argument(hook: Callable[..., object]) -> bool:
    try:
        inspect.signature(hook).bind("")
    except TypeError:
        return False
    except ValueError:
        # A function of C that tells nothing about itself.
        return True
    return True
