"""Reads from the log of a job how a person does the same by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

from pycurrent.explain.output import MOST_OF_BEGINNING, MOST_OF_END

MOST_COMMANDS = 20
"""The last ones are given."""
_LONGEST = 2000
"""In characters: a longer command is left out."""

_NOTE = re.compile(
    rb"^\d{4}-\d\d-\d\d \d\d:\d\d\.\d\d: "
    rb"(?:Exec: (?P<command>.+)|.*To get the same by hand: (?P<files>.+))$",
    re.MULTILINE,
)


class ByHand(Struct, frozen=True):
    """The commands by which a person does what a job has done."""

    files: tuple[str, ...]
    """They get the same files: a commit, say."""
    commands: tuple[str, ...]
    """The last ones that the job itself has run since then."""


def by_hand(log: BinaryIO) -> ByHand:
    """Read it from a log; only from the ends of a long one."""
    files: list[str] = []
    commands: list[str] = []
    for note in _notes(log):
        if (command := note["command"]) is not None:
            commands.append(command.decode(errors="replace"))
        elif (how := note["files"].decode(errors="replace")) not in files:
            files.append(how)
            # The commands before it have got the files.
            commands.clear()
    shown = [command for command in commands if len(command) <= _LONGEST]
    return ByHand(tuple(files), tuple(shown[-MOST_COMMANDS:]))


def _notes(log: BinaryIO) -> Iterator[re.Match[bytes]]:
    beginning = log.read(MOST_OF_BEGINNING)
    rest = log.read(MOST_OF_END)
    if log.read(1):
        log.seek(-MOST_OF_END, 2)
        yield from _NOTE.finditer(beginning)
        yield from _NOTE.finditer(log.read())
    else:
        yield from _NOTE.finditer(beginning + rest)
