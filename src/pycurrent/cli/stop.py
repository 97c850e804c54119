"""Requests to stop: the first one is polite, the second one ends the process at once.

Two signals leave durable jobs at work. After `KEEP_JOBS` the process ends, after `UPGRADE` it
starts its program again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

KEEP_JOBS = signal.SIGUSR1
UPGRADE = signal.SIGUSR2
TRIAL = "PYCURRENT_TRIAL"
"""The variable by which a process knows that it only tries whether its program can be started."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, KEEP_JOBS, UPGRADE)
"""The signals that ask for it."""


class StopRequest:
    """A signal to stop, if one has come. See `stop_requests`."""

    def __init__(self) -> None:
        self.farewell: Callable[[], None] = lambda: None
        """Called before a second signal ends the process at once."""
        self.signal: signal.Signals | None = None
        self._loop = asyncio.get_running_loop()
        self._come = asyncio.Event()

    async def wait(self) -> signal.Signals:
        await self._come.wait()
        assert self.signal is not None
        return self.signal

    def forget(self) -> None:
        """Do as if no signal had come."""
        self.signal = None
        self._come.clear()

    def receive(self, number: int, _: FrameType | None) -> None:
        """Handle a signal. It comes at any moment, when anything may be half done."""
        if self.signal is None:
            self.signal = signal.Signals(number)
            self._loop.call_soon_threadsafe(self._come.set)
        else:
            # A killed engine loses nothing, and its commands end with it.
            self.farewell()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Take SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 as requests to stop, within the block.

    The program sees the first one. A second one ends the process at once, by the signal, after its
    `farewell()`. The event loop's own handlers would wait for the loop, and not help when a
    function never returns. Signals that are ignored from the start (`nohup`) stay so.
    """
    request = StopRequest()
    old = {
        number: signal.signal(number, request.receive)
        for number in _SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
