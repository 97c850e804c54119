"""The exit statuses."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from pycurrent.errors import PycurrentError


class Exit(IntEnum):
    """What the command line says to the shell.

    A process that was told to end by a signal says 128 and the signal's number, as shells do:
    130 after SIGINT, 143 after SIGTERM.
    """

    OK = 0
    FAILED = 1
    """Something failed, or can't be known."""
    USAGE = 2
    """What was asked for can't be done as asked."""
    UNCONFIRMED = 3
    """Something waits for confirmation that nobody can give."""
    MACHINE = 4
    """The machine has run out of something, and what needs it was tried in vain."""
    UNRECORDED = 5
    """What was done could not be recorded, and nothing new was begun: the disk is full, say."""


SIGNALLED = 128


class CommandError(PycurrentError):
    """A command can't go on. Each kind says by which status the process ends."""

    status: ClassVar[IntEnum] = Exit.FAILED
