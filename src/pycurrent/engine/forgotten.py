"""Calls that an author forgot to await: they have done nothing, and must not look as if they had.

Python says so at most in a warning on the standard error, long after. So the methods of a job
that have to be awaited are *noted*, and `run_job` asks for the calls that were made and never
begun.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from pycurrent.errors import PycurrentError, UsageError
from pycurrent.term import Failure, Stand, failed_by, noting

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST = 100


class Block(AbstractAsyncContextManager[T, bool | None]):
    """A context manager that knows whether it was entered."""

    def __init__(self, call: str, manager: AbstractAsyncContextManager[T, bool | None]) -> None:
        self.is_entered = False
        self._call = call
        self._manager = manager

    async def __aenter__(self) -> T:
        self.is_entered = True
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, traceback)

    def __await__(self) -> NoReturn:
        self.is_entered = True
        raise PycurrentError(f"{self._call} can't be awaited: write `async with {self._call}`")


class Calls:
    """The calls of one job that have to be awaited, or entered."""

    __slots__ = ("_calls", "_log")

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._calls: list[tuple[Callable[[], str], Coroutine[Any, Any, Any] | Block[Any]]] = []

    def note(self, call: Callable[[], str], made: Coroutine[Any, Any, Any] | Block[Any]) -> None:
        """Note a call, and how to write it, which is asked if it is forgotten."""
        self._are_left()  # A job may make thousands.
        self._calls.append((call, made))

    async def checked(self, work: Awaitable[T]) -> T:
        """Return what the work returns. Raises PycurrentError if it forgot to await a call, or has
        built terms: nothing would ever evaluate them.

        That is in the log if the work fails for another reason; an exception that is none of
        ours may well be its consequence, and is the second thing to be told.
        """
        try:
            with noting() as made:
                done = await work
        except (Failure, PycurrentError):
            await self.tell()
            raise
        except Exception as error:
            if forgotten := await self._take():
                raise PycurrentError(f"{forgotten}; {failed_by(error).message}") from error
            raise
        if self._are_left() and (forgotten := await self._take()):
            raise PycurrentError(forgotten)
        if unused := made.unused():
            raise UsageError(
                f"the work of a job has built {', '.join(unused)}, which never runs there: build"
                " it in the pipeline, and give the operation its value"
            )
        return done

    async def tell(self) -> None:
        """Log what was forgotten, where something else counts more."""
        if self._are_left() and (forgotten := await self._take()):
            self._log(forgotten)

    def _are_left(self) -> bool:
        """True if some have not begun. The others don't matter any more, and are dropped."""
        if self._calls:
            self._calls = [noted for noted in self._calls if not _has_begun(noted[1])]
        return bool(self._calls)

    async def _take(self) -> str:
        """A sentence about the calls that were forgotten; empty if none was."""
        if self._are_left():
            # The first step of a task that was made of a call comes now.
            await asyncio.sleep(0)
        calls, self._calls = self._calls if self._are_left() else [], []
        told: list[str] = []
        for text_of, call in calls:
            text = text_of()
            if isinstance(call, Block):
                told.append(f"{text} was never entered: write `async with {text}`")
            else:
                call.close()
                told.append(f"{text} was never awaited: write `await {text}`")
        return "; ".join(told)


class _Noting(Protocol):
    @property
    def calls(self) -> Calls: ...


S = TypeVar("S", bound=_Noting)


def to_be_awaited(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """An async method of a job whose calls are noted."""

    @functools.wraps(method)
    def noted(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        made = method(self, *args, **kwargs)
        text = functools.partial(_text, method.__name__, args, kwargs.get("show"))
        self.calls.note(text, made)
        return made

    return noted


def to_be_entered(
    method: Callable[Concatenate[S, P], AbstractAsyncContextManager[T, bool | None]],
) -> Callable[Concatenate[S, P], AbstractAsyncContextManager[T, bool | None]]:
    """A method of a job that gives a context manager, whose calls are noted."""

    @functools.wraps(method)
    def noted(
        self: S, /, *args: P.args, **kwargs: P.kwargs
    ) -> AbstractAsyncContextManager[T, bool | None]:
        call = _text(method.__name__, args, None)
        made = Block(call, method(self, *args, **kwargs))
        self.calls.note(lambda: call, made)
        return made

    return noted


def _has_begun(call: Coroutine[Any, Any, Any] | Block[Any]) -> bool:
    if isinstance(call, Block):
        return call.is_entered
    return inspect.getcoroutinestate(call) != inspect.CORO_CREATED


def _word(word: object) -> str:
    """The word as text. Anything else is refused later, in better words than those of its `str`."""
    is_word = isinstance(word, str | os.PathLike) and not isinstance(word, Stand)
    return str(word) if is_word else type(word).__name__


def _text(name: str, args: Sequence[object], show: object) -> str:
    """The call, as its author may have written it: with the command as it is to be shown."""
    command = args[0] if args and show is None else show
    if isinstance(command, list | tuple):
        command = shlex.join(map(_word, command))
    inside = repr(command) if isinstance(command, str) and command else "..."
    if len(inside) > _LONGEST:
        inside = f"{inside[:_LONGEST]}..."
    return f"job.{name}({inside})"
