"""Cancel hooks: what is called when a job is cancelled, or ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from pycurrent.engine.tasks import regardless
from pycurrent.term import failed_by

Hook = Callable[[str], object] | Callable[[], object]
"""Called with the reason, or without it. It may be async."""


class Hooks:
    """The hooks of one job.

    They *wait* until they are run, for a reason; each is called once, the latest first. One that
    is added after that is called at once. What they raise is logged, and stops nothing.
    """

    __slots__ = ("_log", "_reason", "_tasks", "_waiting")

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._waiting: list[Hook] = []
        self._reason: str | None = None
        """Why they were run; None while they wait."""
        self._tasks: list[asyncio.Future[Any]] = []
        """Those that are async, and have not been seen to end."""

    @property
    def have_run(self) -> bool:
        return self._reason is not None

    def add(self, hook: Hook) -> None:
        """Have the hook called when they are run: at once, if they have been."""
        if self._reason is None:
            self._waiting.append(hook)
        else:
            self._call(hook, self._reason)

    def run(self, reason: str) -> None:
        """Call those that wait. Again, it only gives the reason for those to come."""
        self._reason = reason
        waiting, self._waiting = self._waiting, []
        for hook in reversed(waiting):
            self._call(hook, reason)

    async def ended(self) -> None:
        """Wait for the end of those that are async, if there are any, even if cancelled."""
        while self._tasks:
            task = self._tasks.pop(0)
            try:
                await regardless(task)
            except Exception as error:
                self._failed(error)
            except asyncio.CancelledError:
                if not task.cancelled():
                    raise
                self._log("A cancel hook was cancelled")

    def _call(self, hook: Hook, reason: str) -> None:
        try:
            result = hook(*([reason] if _takes_argument(hook) else []))
            if inspect.isawaitable(result):
                self._tasks.append(asyncio.ensure_future(result))
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._log(f"A cancel hook failed: {failed_by(error).message}")


def _takes_argument(hook: Callable[..., object]) -> bool:
    try:
        inspect.signature(hook).bind("")
    except TypeError:
        return False
    except ValueError:
        # A function of C that tells nothing about itself.
        return True
    return True
