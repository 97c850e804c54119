"""Writes to logs beside the event loop, for as long as their disk is slow.

    quick ──three slow writes in a row──► slow ──three quick ones in a row──► quick

A write to a file only copies to memory, as a rule, in a few microseconds: less than handing it to a
thread would take. But where the disk has too much to do, or was mounted to write all at once, each
line waits for it. Then a thread writes, and the loop goes on; a job ends when its log is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread, current_thread

SLOW = 0.002
"""Seconds: a write that takes longer has waited for the disk, or for the processor."""
QUICK = 0.001
"""Seconds: a write that takes less has not waited."""
IN_A_ROW = 3
"""As many of one kind are not chance."""


class LogWriter:
    """The thread that writes to the logs of one engine. Made in any thread, it begins when it is
    needed.
    """

    def __init__(self) -> None:
        self.is_slow = False
        """True while writes are to be handed over."""
        self._others = 0
        """The last writes that were as in the other mode."""
        self._due: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    @property
    def is_here(self) -> bool:
        """True in its thread."""
        return current_thread() is self._thread

    def took(self, seconds: float) -> None:
        """Some data was written, in this time."""
        is_other = seconds < QUICK if self.is_slow else seconds > SLOW
        self._others = self._others + 1 if is_other else 0
        if self._others >= IN_A_ROW:
            # Data that are handed over still come first: each file keeps its order itself.
            self.is_slow = not self.is_slow
            self._others = 0

    def hand_over(self, act: Callable[[], None]) -> None:
        """Have the thread do it, after all that was handed over before. From any thread; at once,
        if there can't be another thread.
        """
        if self._has_thread():
            self._due.put(act)
        else:
            act()

    async def caught_up(self) -> None:
        """Until all is done that was handed over before."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def end() -> None:
            if not done.done():
                done.set_result(None)

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(end)

        self.hand_over(tell)
        await done

    def close(self) -> None:
        """Wait until all is done, and end the thread. Twice is fine."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._due.put(None)
            thread.join()

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = Thread(target=self._run, name="pycurrent logs", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while (act := self._due.get()) is not None:
            act()
