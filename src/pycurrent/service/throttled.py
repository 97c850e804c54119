"""Doing something soon after it is asked for, but not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Throttled:
    """Calls a function of the event loop once for all that has asked for it meanwhile.

    The function gives how many seconds to let pass, at least, before it is called again. The
    first request is followed at once, from the loop: never within `request`. The function may ask
    for its next call.
    """

    def __init__(self, act: Callable[[], float]) -> None:
        self._act = act
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._closed = False
        self._acts = self._again = False

    def request(self) -> None:
        """Have it called, unless that is due already. After `close` this does nothing."""
        if self._acts:
            self._again = True
        elif self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._not_before), self._run)

    def close(self) -> None:
        """Drop a call that is due. Twice is fine."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        self._acts, self._again = True, False
        try:
            pause = self._act()
        finally:
            self._acts = False
        self._not_before = asyncio.get_running_loop().time() + pause
        if self._again:
            self.request()
