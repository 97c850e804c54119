"""The thread that an engine belongs to, and the error for calls from another one."""

from __future__ import annotations

import threading

from pycurrent.errors import UsageError


class LoopThread:
    """The thread in which this is made: that of the event loop of an engine."""

    __slots__ = ("_ident",)

    def __init__(self) -> None:
        self._ident = threading.get_ident()

    @property
    def is_here(self) -> bool:
        """True in that thread."""
        return threading.get_ident() == self._ident

    def check(self, call: str) -> None:
        """Raises `UsageError` in any other thread, before anything has been done there."""
        if not self.is_here:
            raise UsageError(
                f"{call} was called in thread {threading.current_thread().name!r}, and belongs to "
                "that of the engine's event loop: there, use loop.call_soon_threadsafe(...)"
            )
