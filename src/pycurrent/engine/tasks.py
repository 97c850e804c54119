"""Waiting for what must come to its end, and taking what authors' code raises for their failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event
from typing import Any, ParamSpec, TypeVar

from pycurrent.term import Failed, describe_exception, failed_by, relevant_traceback

T = TypeVar("T")
P = ParamSpec("P")


async def uncancellable(awaitable: Awaitable[T]) -> T:
    """Wait to the end even if cancelled meanwhile: then the cancellation follows.

    The result or exception of the awaitable is lost then.
    """
    if isinstance(awaitable, asyncio.Future) and awaitable.done():
        at_once: T = awaitable.result()
        return at_once
    task = asyncio.ensure_future(_kept(awaitable))
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        with suppress(Exception):
            task.result()
        raise asyncio.CancelledError
    result = task.result()
    if isinstance(result, _Left):
        raise result.error
    return result


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks in a thread, and wait for its end even if cancelled meanwhile.

    So whatever it works on is left alone once this has ended, and so is every process it runs.
    """
    return await uncancellable(asyncio.to_thread(function, *args, **kwargs))


async def stoppable(function: Callable[[Event], T]) -> T:
    """Call a function that blocks in a thread, and have it stop when this is cancelled. Its end is
    waited for: nothing of it goes on in a folder that is removed.
    """
    stop = Event()
    work = asyncio.ensure_future(in_thread(function, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with suppress(Exception):
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()
        raise


class _Left:
    """An exception that would end the event loop, if a task ended with it."""

    def __init__(self, error: SystemExit | KeyboardInterrupt) -> None:
        self.error = error


async def _kept(awaitable: Awaitable[T]) -> T | _Left:
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        return _Left(error)


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait for its end. Its exception is lost."""
    task.cancel()
    await asyncio.wait([task])


def end_if_cancelled() -> None:
    """Raise the cancellation of the current task again, if it was lost.

    `asyncio.gather` raises the failure of one of its parts instead if both come in the same turn,
    as may any library. A loop that tries again after failures calls this where it takes one: it
    would never end otherwise.
    """
    task = this_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def take_cancellation(task: asyncio.Task[Any]) -> None:
    """Have a cancellation of the current task come now, where its work did not wait for it: not
    in the midst of what follows, which is not cancelled.
    """
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    while task.cancelling():
        task.uncancel()


def failure_by(error: BaseException, what: str, owner: asyncio.Task[Any] | None) -> Failed:
    """The failure that an exception of an author's code amounts to, whatever its class.

    Raised again is what was not the code's own doing: a cancellation of the task `owner` in which
    it ran, or the end of its coroutine, which is closed when nobody can go on with it any more.
    """
    if isinstance(error, asyncio.CancelledError) and owner is not None and owner.cancelling():
        raise error
    if isinstance(error, GeneratorExit) and this_task() is not owner:
        raise error
    return failure_of(error, what)


def failure_of(error: BaseException, what: str) -> Failed:
    """As `failure_by`, where the code was just called: all that it raises is its own doing."""
    if isinstance(error, asyncio.CancelledError):
        return Failed(f"{what} was cancelled", traceback=failed_by(error).traceback)
    if isinstance(error, KeyboardInterrupt):
        # Raised by the code: one that somebody types is a signal, which ends the engine in order.
        return Failed(describe_exception(error), traceback=relevant_traceback(error))
    return failed_by(error)


def this_task() -> asyncio.Task[Any] | None:
    """The task at work; None outside of tasks, also where no loop runs."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def leave_alone(task: asyncio.Task[Any]) -> None:
    """Nobody waits for this task any more, `asyncio.run` at its end included."""
    task.add_done_callback(forget)
    asyncio.tasks._unregister_task(task)


def forget(task: asyncio.Task[Any]) -> None:
    """Whatever the task has raised is of no interest."""
    if not task.cancelled():
        task.exception()
