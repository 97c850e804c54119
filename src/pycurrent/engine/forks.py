"""Forks of the engine's process: the files they must not have, and their end.

The code of a pipeline may fork the engine: `ProcessPoolExecutor`, `multiprocessing`, `os.fork`. A
fork has every open file of the engine, so as long as it lives the state directory would be locked
and the port taken, by a process that nobody knows. So files that are *kept out* are closed in
forks. And a fork that was made while an engine was open ends with the engine's process, however
that dies, by SIGKILL at once: what it was doing is done again by the next engine.

Not reached are processes that were not forked by Python but started as a program
(`subprocess.run`, or `multiprocessing` with another start method than fork): jobs run programs by
`job.exec`, which ends them.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress


class Forks:
    """Prepares the forks of this process while one engine is open."""

    def __init__(self) -> None:
        self._kept_out: list[Callable[[], Iterable[int]]] = []
        self._lifeline: tuple[int, int] | None = None
        self._closed = False
        # A registration is for good: it must not keep the engine alive.
        this = weakref.ref(self)

        def before() -> None:
            if (forks := this()) is not None:
                forks._before()

        def in_child() -> None:
            if (forks := this()) is not None:
                forks._in_child()

        os.register_at_fork(before=before, after_in_child=in_child)

    def keep_out(self, files: Callable[[], Iterable[int]]) -> None:
        """Have these open files closed in forks; `files` is asked in each."""
        self._kept_out.append(files)

    def close(self) -> None:
        """Forks that are made from now on are ordinary ones. Twice is fine."""
        self._closed = True

    def _before(self) -> None:
        if not self._closed and self._lifeline is None and sys.platform == "linux":
            # Its writing end is never closed: it ends with this process.
            with suppress(OSError):
                self._lifeline = os.pipe()

    def _in_child(self) -> None:
        if self._closed:
            return
        for files in self._kept_out:
            for file in files():
                _replace_by_nothing(file)
        if self._lifeline is not None:
            reader, writer = self._lifeline
            _replace_by_nothing(writer)
            with suppress(OSError):
                _kill_at_the_end_of(reader)


def _replace_by_nothing(file: int) -> None:
    """The number stays taken, as objects in the fork may close it yet."""
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nothing, file, inheritable=False)
        os.close(nothing)


if sys.platform == "linux":

    def _kill_at_the_end_of(pipe: int) -> None:
        """Have the kernel kill this process when the pipe's last writer is gone.

        Not by PR_SET_PDEATHSIG: that counts the end of the *thread* that forked. An open file has
        one owner that is signalled, so the pipe is opened again.
        """
        own = os.open(f"/proc/self/fd/{pipe}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
        with suppress(BlockingIOError):
            os.read(own, 1)
            # It is not empty but at its end: that came before it would have been told.
            os.kill(os.getpid(), signal.SIGKILL)
