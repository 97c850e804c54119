"""Reads a pipe in a thread of its own, in big chunks, until its end or until told to stop."""

import fcntl
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

CHUNK = 256 * 1024
"""Bytes read at once, and held by the pipe where that can be set.

Measured: three times the throughput of a pipe's default 64 KiB, and 1 MiB adds nothing; but the
kernel gives a user no more than 64 MiB for all pipes.
"""

_MOST_HELD = 1 << 20
"""More than this a pipe does not hold, unless the system's limits were raised."""


class PipeReader:
    """Owns the reading end of a pipe. All methods but `chunks` may be called from any thread."""

    def __init__(self, fd: int) -> None:
        """Takes `fd` over: when this raises OSError, `fd` is closed."""
        try:
            _enlarge(fd)
            # So that one system call is enough while data flows, and none can block forever.
            os.set_blocking(fd, False)
            self._woken, self._wake = os.pipe()
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._guard = threading.Lock()  # a descriptor must not be used once it is closed
        self._stopped = False
        self._closed = False
        self._finishing = False
        self.is_cut_off = False
        """True if `chunks` ended, as told by `finish`, while a process still held the pipe open."""

    def chunks(self) -> Iterator[memoryview]:
        """The data, as it comes, until the end of the pipe, `finish` or `stop`.

        A chunk is a view of a buffer that the next one overwrites. To be called once, by the one
        thread that later calls `close`. Raises OSError if the pipe can't be read.
        """
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        ready = select.poll()
        ready.register(self._fd, select.POLLIN)
        ready.register(self._woken, select.POLLIN)
        left = _MOST_HELD
        while not self._stopped:
            finishing = self._finishing
            try:
                count = os.readv(self._fd, [buffer])
            except BlockingIOError:
                if finishing:
                    self.is_cut_off = True
                    return
                ready.poll()
                continue
            if not count:
                return
            yield view[:count]
            left -= count if finishing else 0
            if left <= 0:
                self.is_cut_off = True
                return

    def finish(self) -> None:
        """Has `chunks` end with the data in the pipe now, even if a process still holds it open.

        Twice, or after `close`, does nothing.
        """
        with self._guard:
            if not self._finishing and not self._closed:
                self._finishing = True
                os.write(self._wake, b"!")

    def stop(self) -> None:
        """Ends `chunks`, also while it waits for data. Twice, or after `close`, does nothing."""
        with self._guard:
            if not self._stopped and not self._closed:
                os.write(self._wake, b"!")
            self._stopped = True

    def close(self) -> None:
        """Closes the pipe: who still writes to it gets EPIPE. Twice does nothing."""
        with self._guard:
            if not self._closed:
                for fd in (self._fd, self._woken, self._wake):
                    os.close(fd)
            self._closed = True


def _enlarge(fd: int) -> None:
    if sys.platform == "linux":
        # Refused when the user's pipes hold too much already: the default size works, too.
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)
