"""The output streams of a command: closed ones, full ones, and terminals."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from pycurrent.errors import PycurrentError

_GONE = frozenset({errno.EPIPE, errno.EIO})
"""The reader has gone away: nobody can be told."""
_LONGEST_SEQUENCE = 4096


class OutputLostError(PycurrentError):
    """Stdout or stderr can't be written any more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output can't be written: {error.strerror}")


def open_streams() -> None:
    """Make sure that all three streams exist, even if this process was started without.

    Closed ones are opened to nowhere, with their descriptors, which the next file would get. A
    failed write raises `OutputLostError`, or BrokenPipeError if nobody reads any more.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free one: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _checked(stream, fd))


def _checked(stream: io.TextIOWrapper | None, fd: int) -> io.TextIOWrapper:
    if stream is not None:
        with suppress(OSError):
            stream.flush()
        fd = stream.fileno()
    raw = _Checked(fd, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if stream is None else stream.encoding,
        errors="backslashreplace",  # a character that a terminal can't show must not end it
        line_buffering=fd == 2 or raw.isatty(),
    )


class _Checked(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno in _GONE:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
            raise OutputLostError(error) from error


class _HasFile(Protocol):
    def fileno(self) -> int: ...


def give_up(stream: _HasFile) -> None:
    """Write nothing more to a stream, not even the rest of its buffer."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def complain(text: str) -> None:
    """Print a line on stderr, if possible."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, OutputLostError):
        give_up(sys.stderr)


def write_list(lines: Iterable[str], nothing: str) -> None:
    """Print a list; if it is empty, say so on stderr by `nothing`, so that a program reads none."""
    told = list(lines)
    sys.stdout.write("".join([f"{line}\n" for line in told]))
    if not told:
        complain(nothing)


def one_line(text: str) -> str:
    """A text without line breaks and control sequences."""
    words = " ".join(text.split())
    if words.isprintable():
        return words
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words)


class TerminalFilter:
    """Removes control sequences from a text, except colours.

    It keeps printable characters, tabs, line ends, carriage returns, and colours and styles (SGR).
    It works piece by piece: a sequence at the end of a piece is held back.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """The next part of the text."""
        text = self._held + piece
        cut = re.search(_UNFINISHED, text)
        end = len(text)
        if cut is not None and end - cut.start() <= _LONGEST_SEQUENCE:
            end = cut.start()
        self._held = text[end:]
        return re.sub(_COMMANDS, _only_colours, text[:end])

    def flush(self) -> bytes:
        """The rest."""
        rest, self._held = self._held, b""
        return re.sub(_COMMANDS, _only_colours, rest)


# Compiled when they are first used, as every command imports this.
_COMMANDS = (
    rb"(?:\x1b\[|\xc2\x9b)([0-9;:]*)(m)"  # a colour
    rb"|(?:\x1b\[|\xc2\x9b)[0-?]*[ -/]*[@-~]?"
    rb"|(?:\x1b[PX\]^_k]|\xc2[\x90\x98\x9d-\x9f])[^\x07\x1b\x18\x1a]*(?:\x07|\x1b\\)?"  # a text
    rb"|\x1b[ -/]*[0-~]?|\xc2[\x80-\x9f]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_UNFINISHED = (
    rb"(?:(?:\x1b\[|\xc2\x9b)[0-?]*[ -/]*"
    rb"|(?:\x1b[PX\]^_k]|\xc2[\x90\x98\x9d-\x9f])[^\x07\x1b\x18\x1a]*\x1b?|\x1b[ -/]*|\xc2)\Z"
)


def _only_colours(found: re.Match[bytes]) -> bytes:
    return b"" if found[2] is None else b"\x1b[" + found[1] + b"m"


def for_terminal(text: bytes) -> bytes:
    """A whole text, filtered by `TerminalFilter`."""
    terminal = TerminalFilter()
    return terminal.feed(text) + terminal.flush()
