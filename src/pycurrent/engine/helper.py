"""The engine's side of the resident helper, the process that supervisors are forked from.

See `supervisor.py`, the script that it runs, for all that it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from pycurrent.engine import supervisor


class HelperProcess:
    """The resident helper process, and the control socket to it."""

    def __init__(self, descriptors: int | None = None) -> None:
        """Starts the process; does not wait for it to be up. Raises OSError.

        `descriptors` is its soft limit, and that of all commands.
        """
        self._loop = asyncio.get_running_loop()
        self._control, theirs = socket.socketpair()
        if sys.platform == "linux":
            # The smallest there is, room for a few messages: descriptors in flight count against
            # a limit, too. Other systems may take the number at its word.
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self._control.setblocking(False)
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(theirs.close)
            engine = -1
            # Not Linux, or a sandbox: then the sockets alone tell of the engine's death.
            with contextlib.suppress(AttributeError, OSError):
                engine = os.pidfd_open(os.getpid())
                cleanup.callback(os.close, engine)
            try:
                self._process, self._line = _launch_helper(theirs.fileno(), engine, descriptors)
            except BaseException:
                self._control.close()
                raise
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when it takes no more commands. It may still be guarding some."""
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._writable: asyncio.Future[None] | None = None
        self._loop.add_reader(self._control.fileno(), self._receive)
        self._loop.add_reader(self._line.fileno(), self._reap)

    async def send(self, message: bytes, descriptors: Sequence[int]) -> None:
        """Hands one command over; one call at a time.

        Raises BrokenPipeError or ConnectionResetError if the helper has gone, another OSError if
        the descriptors can't be sent. If it returns the helper may still die before it looks.
        """
        while not self.gone.done():
            try:
                socket.send_fds(self._control, [message], descriptors)
            except BlockingIOError:
                self._writable = self._loop.create_future()
                self._loop.add_writer(self._control.fileno(), self._wake)
                await self._writable
            else:
                return
        raise BrokenPipeError

    async def aclose(self) -> None:
        """Lets the process end once nothing is left to guard, and reaps it. Twice does nothing
        more.
        """
        if not self.gone.done():
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
        await asyncio.shield(self.gone)
        await asyncio.shield(self._ended)

    def _wake(self) -> None:
        self._loop.remove_writer(self._control.fileno())
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _receive(self) -> None:
        """The helper says nothing: this is the end of the socket, and so of the helper."""
        self._wake()
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self.gone.set_result(None)

    def _reap(self) -> None:
        """The line carries nothing: this is its end, and so that of the process at its other end.

        That is the helper's guard, or the helper itself if it has none.
        """
        self._loop.remove_reader(self._line.fileno())
        self._line.close()
        self._process.wait()  # its descriptors are closed: it is a moment from being a zombie
        self._ended.set_result(None)


def _launch_helper(
    control: int, engine: int, descriptors: int | None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The process, and what ends with it."""
    kept = [descriptor for descriptor in (control, engine) if descriptor >= 0]
    # The helper's own environment can be read by others with the same user id, and lives long:
    # only what an interpreter may need to find its libraries.
    environ = {name: value for name, value in os.environ.items() if "LIBRARY_PATH" in name}
    numbers = [control, engine, -1 if descriptors is None else descriptors]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-E", supervisor.__file__, *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        pass_fds=kept,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, process.stdout
