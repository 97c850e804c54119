"""What comes over a connection, of which only what the command says is for the job.

Before it there may be a server's banner, and whatever the files print that a shell over there reads
at its start. Two lines of ours are among it, and say where each ends: the client writes one once it
is connected, and the script over there one just before the command begins, to both its outputs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pycurrent.plugins.relay import relayed

NAME = "pycurrent-ssh"
"""What the script is called over there: its shell's own messages begin with it, and our lines."""

_MOST_HELD = 1 << 16
"""Bytes without such a line after which none is expected: a key may be for one command only, which
is not run by our script.
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """The lines of one connection, which nothing else prints."""

    connected: str = field(default_factory=lambda: f"{NAME}: connected {secrets.token_hex(8)}")
    begun: str = field(default_factory=lambda: f"{NAME}: begun {secrets.token_hex(8)}")


class Said:
    """Passes on what comes by one of the outputs after the command has begun."""

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
        """There is no more to come before the command: without a mark of ours, all is its."""
        if self._held is not None:
            held, self._held = self._held, None
            before, mark, after = held.partition(self._connected)
            self._write(after if mark else before)


@contextmanager
def heard(pipe: Path, said: Said) -> Iterator[None]:
    """What is written to a new pipe in the block is passed on, all of it by its end."""
    try:
        with relayed(pipe, said.take):
            yield
    finally:
        said.end()
