"""Reads a pipe, little by little on a loop, or in big chunks in a thread, until told to stop."""

import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

CHUNK = 256 * 1024
"""Bytes read at once, and held by the pipe where that can be set.

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
            _enlarge(fd)
            # So that one system call is enough while data flows, and none can block forever.
            os.set_blocking(fd, False)
            self._woken, self._wake = os.pipe()
        except BaseException:
            os.close(fd)
            raise
        self.fd = fd
        self._listener: Callable[[], None] | None = None
        self._guard = threading.Lock()  # a descriptor must not be used once it is closed
        self._stopped = False
        self._closed = False
        self._finishing = False
        self.is_cut_off = False
        """True if reading ended, as told by `finish`, while a process still held the pipe open."""

    @property
    def is_finishing(self) -> bool:
        """True after `finish`."""
        return self._finishing

    @property
    def is_stopped(self) -> bool:
        """True after `stop`."""
        return self._stopped

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have it called, in any thread, for `finish` and `stop`, also if they were before."""
        with self._guard:
            self._listener = listener
            told = self._finishing or self._stopped
        if told and listener is not None:
            listener()

    def read(self, size: int) -> bytes | None:
        """Read up to `size` bytes that are there now; b"" at the end of the pipe, None if it is
        empty.

        Raises OSError if the pipe can't be read.
        """
        try:
            return os.read(self.fd, size)
        except BlockingIOError:
            return None

    def chunks(self) -> Iterator[memoryview]:
        """The data, as it comes, until the end of the pipe, `finish` or `stop`.

        A chunk is a view of a buffer that the next one overwrites. To be called once, by the one
        thread that later calls `close`. Raises OSError if the pipe can't be read.
        """
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        ready = select.poll()
        ready.register(self.fd, select.POLLIN)
        ready.register(self._woken, select.POLLIN)
        left = _MOST_HELD
        while not self._stopped:
            finishing = self._finishing
            try:
                count = os.readv(self.fd, [buffer])
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
        """Has reading end with the data in the pipe now, even if a process still holds it open.

        Twice, or after `close`, does nothing.
        """
        with self._guard:
            if self._finishing or self._closed:
                return
            self._finishing = True
            listener = self._wake_reader()
        if listener is not None:
            listener()

    def stop(self) -> None:
        """Ends reading, also while it waits for data. Twice, or after `close`, does nothing."""
        with self._guard:
            if self._stopped or self._closed:
                return
            self._stopped = True
            listener = self._wake_reader()
        if listener is not None:
            listener()

    def _wake_reader(self) -> Callable[[], None] | None:
        """Wakes `chunks`, or gives what is to be called once the guard is free."""
        if self._listener is None:
            os.write(self._wake, b"!")
        return self._listener

    def close(self) -> None:
        """Closes the pipe: who still writes to it gets EPIPE. Twice does nothing."""
        with self._guard:
            if not self._closed:
                for fd in (self.fd, self._woken, self._wake):
                    os.close(fd)
            self._closed = True


def _enlarge(fd: int) -> None:
    if sys.platform == "linux":
        # Refused when the user's pipes hold too much already: the default size works, too.
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)
