"""Being told to stop: politely once, and then at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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

    def receive(self, number: int, _: FrameType | None) -> None:
        """A signal has come: at any moment, and with it anything may be half done."""
        if self.signal is None:
            self.signal = signal.Signals(number)
            self._loop.call_soon_threadsafe(self._come.set)
        else:
            # An engine that is killed loses nothing, and its commands end with it.
            self.farewell()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Take SIGINT, SIGTERM and SIGHUP as requests to stop, within the block.

    The first one is for the program to see. A second one ends the process at once, by the
    signal, after its `farewell()`. Not by the event loop's own handlers: those wait for the loop,
    which is no help when somebody's function never comes back. What is ignored from the start
    (`nohup`) stays so.
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
