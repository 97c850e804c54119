"""The exit statuses."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from pycurrent.errors import PycurrentError


class Exit(IntEnum):
    """The exit status of a command.

    After a signal it is 128 plus the signal's number, as in shells: 130 after SIGINT, 143 after
    SIGTERM.
    """

    OK = 0
    FAILED = 1
    """Something failed, or can't be determined."""
    USAGE = 2
    """The options or files are wrong."""
    UNCONFIRMED = 3
    """Something waits for confirmation that nobody can give, or is paused."""
    MACHINE = 4
    """The machine has run out of something, and trying again did not help."""
    UNRECORDED = 5
    """The engine could not record its work, so it began nothing new: the disk is full, say."""


SIGNALLED = 128


class CommandError(PycurrentError):
    """A command can't go on. Each kind has its exit status."""

    status: ClassVar[IntEnum] = Exit.FAILED
