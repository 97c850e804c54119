"""Threads for `asyncio.to_thread` that count their pending calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

T = TypeVar("T")


class CountingExecutor(ThreadPoolExecutor):
    """Counts the pending calls as the event loop sees them: a call counts until the loop has been
    told of its end, so that no call is lost in between.
    """

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="pycurrent-test")
        self._guard = threading.Lock()
        self._pending = 0

    @classmethod
    def of_running_loop(cls) -> Self:
        """The executor of the running event loop; becomes its default if the loop has another."""
        loop = asyncio.get_running_loop()
        # Loops have no public method for it. Two harnesses on one loop share the threads.
        present = getattr(loop, "_default_executor", None)
        if isinstance(present, cls):
            return present
        executor = cls()
        loop.set_default_executor(executor)
        return executor

    @property
    def pending(self) -> int:
        with self._guard:
            return self._pending

    @property
    def threads(self) -> frozenset[threading.Thread]:
        return frozenset(self._threads)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        # Our own future: all its callbacks, the loop's too, have run when `set_result` returns.
        # The callbacks of an inherited one run at an unknown time.
        future: Future[T] = Future()

        def call() -> None:
            try:
                _resolve(future, fn, args, kwargs)
            finally:
                self._count(-1)

        self._count(1)
        try:
            super().submit(call)
        except BaseException:
            self._count(-1)
            raise
        return future

    def _count(self, difference: int) -> None:
        with self._guard:
            self._pending += difference


def _resolve(
    future: Future[T], fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
