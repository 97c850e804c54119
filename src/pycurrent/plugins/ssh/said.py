"""The output of a command, separated from other text that comes over its connection.

A server's banner, and the files that a shell on the host reads at its start, may print text before
the command begins. Two lines of ours mark where that ends: the client writes one when it is
connected, and the script on the host one to both outputs just before the command begins.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pycurrent.plugins.relay import relayed

NAME = "pycurrent-ssh"
"""The name of the script on the host. Its shell's messages, and our lines, begin with it."""

_MOST_HELD = 1 << 16
"""Bytes after which we stop waiting for our line: the host may restrict the key to one command, and
then our script does not run.
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """The two lines of one connection, which nothing else prints."""

    connected: str = field(default_factory=lambda: f"{NAME}: connected {secrets.token_hex(8)}")
    begun: str = field(default_factory=lambda: f"{NAME}: begun {secrets.token_hex(8)}")


class Said:
    """Passes on the part of one output that comes after the beginning of the command."""

    def __init__(self, marks: Marks, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._connected = f"{marks.connected}\n".encode()
        self._begun = f"{marks.begun}\n".encode()
        self._held: bytes | None = b""  # None: nothing is held back any more

    def take(self, data: bytes) -> None:
        if self._held is None:
            self._write(data)
            return
        self._held += data
        _, mark, after = self._held.partition(self._begun)
        if mark:
            self._held = None
            self._write(after)
        elif len(self._held) > _MOST_HELD:
            self.end()

    def end(self) -> None:
        """The output has ended. Without our mark, all of it counts as the command's."""
        if self._held is not None:
            held, self._held = self._held, None
            before, mark, after = held.partition(self._connected)
            self._write(after if mark else before)


@contextmanager
def heard(pipe: Path, said: Said) -> Iterator[None]:
    """Make a pipe for the block, and pass on what is written to it, all of it by the end."""
    try:
        with relayed(pipe, said.take):
            yield
    finally:
        said.end()
