"""The output of a command, read on its way to the log of its job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 16


@contextmanager
def relayed(pipe: Path, take: Callable[[bytes], None]) -> Iterator[None]:
    """Make a named pipe for the block, and call `take` with everything that is written to it.

    All of it is taken by the end of the block, so the command that writes must end within.
    """
    os.mkfifo(pipe, 0o600)
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()

    def read() -> bool:
        """Take one piece; False if there is nothing to read, now or for good."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            loop.remove_reader(descriptor)
        take(data)
        return bool(data)

    loop.add_reader(descriptor, read)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        while read():
            pass
        os.close(descriptor)
