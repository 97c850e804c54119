"""A look at a folder by find(1): what it prints differs whenever the folder does.

Python takes twice as long only to ask the system for the times of as many files, and holds up its
other threads. Where find is not that of GNU there is no look.
"""

from __future__ import annotations

import hashlib
import os
import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pycurrent.files.content import Stop
from pycurrent.files.errors import Stopped

if TYPE_CHECKING:
    from subprocess import Popen

Stamp = tuple[int, int, int, int, int]
"""The number, size, mode, and times of a file, which tell whether it has changed."""

_PRINTED = {"f": "%i %C@", "d": "%m", "l": "%l"}
"""The print of each kind of file. Of other kinds it is only that they are there.

The last time of a file tells of each change of its content, its size and its mode; to print these
too took find a sixth longer.
"""
_PRINTING = [
    *(
        part
        for kind, told in _PRINTED.items()
        for part in ("-type", kind, "-printf", rf"%p\0{kind}{told}\0", "-o")
    ),
    "-printf",
    r"%p\0%y\0",
]
_AT_ONCE = 2
"""Processes that look at a part of the folder each."""
_MOST = 500_000
"""Bytes of names that are given to one process: the system takes two million."""
_POLL = 100
"""Milliseconds between two questions whether the look is still wanted."""
_SECOND = 1_000_000_000


class Look:
    """A look at a folder, for those who select some of what is in it by patterns."""

    def __init__(self, text: bytes, patterns: Sequence[str]) -> None:
        self._text = text
        selected = os.fsencode("\0".join([*patterns, "", ""]))
        self.digest = hashlib.sha256(selected + text).digest()
        """Differs if the folder or the patterns do."""

    def has_found(self, told: Mapping[str, bytes], others: Iterable[str]) -> bool:
        """True if this is what it has found: what is `told` of some paths, and the `others`."""
        fields = self._text.split(b"\0")
        found = {path[2:]: told for path, told in zip(fields[::2], fields[1::2], strict=False)}
        are_there = [found.pop(os.fsencode(path), None) is not None for path in others]
        return all(are_there) and found == {os.fsencode(path): one for path, one in told.items()}


def look_at(folder: Path, besides: str, patterns: Sequence[str], stop: Stop) -> Look | None:
    """Look at all in a folder but for the entry `besides` at its top. None if that can't be done,
    or if something can't be read. Raises `Stopped`.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries if entry.name != besides)
    except OSError:
        return None
    if not names or sum(map(len, names)) > _MOST or not hasattr(os, "memfd_create"):
        return None
    with suppress(OSError), _started(folder, names) as processes:
        if all(_is_done(process, stop) for process, _ in processes):
            return Look(b"".join(_read(output) for _, output in processes), patterns)
    return None


def told_of_file(stamp: Stamp) -> bytes:
    """The words of a look for a file with this stamp."""
    number, *_, changed = stamp
    return f"f{number} {changed // _SECOND}.{changed % _SECOND:09}0".encode()


def told_of_folder(mode: int) -> bytes:
    """The words of a look for a folder with these permissions."""
    return f"d{mode:o}".encode()


def told_of_link(target: str) -> bytes:
    """The words of a look for a link."""
    return b"l" + os.fsencode(target)


@contextmanager
def _started(folder: Path, names: list[bytes]) -> Iterator[list[tuple[Popen[bytes], int]]]:
    """Processes that look at a part of the names each, and the files to which they print. They do
    not outlive the block.
    """
    from subprocess import DEVNULL, PIPE, Popen

    # A program that lies in the folder is not started.
    path = os.pathsep.join(one for one in os.get_exec_path() if one.startswith("/"))
    processes: list[tuple[Popen[bytes], int]] = []
    outputs: list[int] = []
    try:
        for number in range(min(_AT_ONCE, len(names))):
            paths = [b"./" + name for name in names[number::_AT_ONCE]]
            outputs.append(os.memfd_create("look"))
            process = Popen(
                ["find", *paths, *_PRINTING],
                cwd=folder,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
                stdin=DEVNULL,
                stdout=outputs[-1],
                stderr=PIPE,
            )
            processes.append((process, outputs[-1]))
        yield processes
    finally:
        for process, _ in processes:
            with process:
                process.kill()
        for output in outputs:
            os.close(output)


def _is_done(process: Popen[bytes], stop: Stop) -> bool:
    """Wait for the end of a process; False if it has failed."""
    assert process.stderr is not None
    ends = select.poll()
    ends.register(process.stderr, select.POLLIN)
    while not ends.poll(_POLL):
        if stop():
            raise Stopped
    return not process.stderr.read() and process.wait() == 0


def _read(file: int) -> bytes:
    with open(file, "rb", closefd=False) as output:
        output.seek(0)
        return output.read()
