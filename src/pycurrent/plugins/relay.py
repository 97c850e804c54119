"""What a command writes, seen on its way to the log of its job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 16


@contextmanager
def relayed(pipe: Path, take: Callable[[bytes], None]) -> Iterator[None]:
    """A new pipe with that name, for the block. What is written to it is taken, all of it by the
    end of the block: so it is for a command that ends within.
    """
    os.mkfifo(pipe, 0o600)
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()

    def read() -> bool:
        """Take what there is; False once there is nothing, now or for good."""
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
