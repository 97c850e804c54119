"""Reads a pipe little by little, until its end or until told to stop."""

import fcntl
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

CHUNK = 256 * 1024
"""Bytes read at once of much, and held by the pipe where that can be set.

Measured: three times the throughput of a pipe's default 64 KiB, and 1 MiB adds nothing; but the
kernel gives a user no more than 64 MiB for all pipes.
"""

_MOST_HELD = 1 << 20
"""More than this a pipe does not hold, unless the system's limits were raised."""


class PipeReader:
    """Owns the reading end of a pipe. `finish`, `stop` and `close` may be called in any thread."""

    def __init__(self, fd: int) -> None:
        """Takes `fd` over: when this raises OSError, `fd` is closed."""
        try:
            enlarge(fd)
            os.set_blocking(fd, False)
        except BaseException:
            os.close(fd)
            raise
        self.fd = fd
        self._listener: Callable[[], None] | None = None
        self._guard = threading.Lock()  # a descriptor must not be used once it is closed
        self._stopped = False
        self._closed = False
        self._finishing = False
        self._left = _MOST_HELD
        """Bytes still to be read after `finish`."""
        self.is_cut_off = False
        """True if reading ended, as told by `finish`, while a process still held the pipe open."""

    @property
    def is_told(self) -> bool:
        """True after `finish` or `stop`."""
        return self._finishing or self._stopped

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have it called, in any thread, for `finish` and `stop`, also if they were before."""
        with self._guard:
            self._listener = listener
        if self.is_told and listener is not None:
            listener()

    def read(self, size: int) -> bytes | None:
        """Read up to `size` bytes that are there now; b"" if there are none, None at the end.

        The end is that of the pipe, or comes by `finish` or `stop`. Raises OSError if the pipe
        can't be read.
        """
        finishing = self._finishing
        if self._is_over():
            return None
        try:
            data = os.read(self.fd, size)
        except BlockingIOError:
            return None if self._is_cut_off(finishing) else b""
        if finishing:
            self._left -= len(data)
        return data or None

    def read_into(self, buffer: memoryview) -> int | None:
        """As `read`, into a buffer; gives the number of bytes."""
        finishing = self._finishing
        if self._is_over():
            return None
        try:
            count = os.readv(self.fd, [buffer])
        except BlockingIOError:
            return None if self._is_cut_off(finishing) else 0
        if finishing:
            self._left -= count
        return count or None

    def _is_over(self) -> bool:
        return self._stopped or (self._left <= 0 and self._is_cut_off(finishing=True))

    def _is_cut_off(self, finishing: bool) -> bool:
        """True if reading ends here; `finishing` as it was before the last look into the pipe."""
        self.is_cut_off = finishing
        return finishing

    def finish(self) -> None:
        """Has reading end with the data in the pipe now, even if a process still holds it open.

        Twice, or after `close`, does nothing.
        """
        with self._guard:
            if self._finishing or self._closed:
                return
            self._finishing = True
            listener = self._listener
        if listener is not None:
            listener()

    def stop(self) -> None:
        """Ends reading, also while it waits for data. Twice, or after `close`, does nothing."""
        with self._guard:
            if self._stopped or self._closed:
                return
            self._stopped = True
            listener = self._listener
        if listener is not None:
            listener()

    def close(self) -> None:
        """Closes the pipe: who still writes to it gets EPIPE. Twice does nothing."""
        with self._guard:
            if not self._closed:
                os.close(self.fd)
            self._closed = True


def enlarge(fd: int) -> None:
    """Have a pipe hold as much as is read at once, if that is allowed."""
    if sys.platform == "linux":
        # Refused when the user's pipes hold too much already: the default size works, too.
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)
