"""How a command on an engine elsewhere ends, and what is said of an error."""

from __future__ import annotations

from enum import IntEnum

from pycurrent.cli.status import CommandError


class ClientExit(IntEnum):
    """The exit statuses of `pycurrent client`.

    As everywhere, a process that was told to end by a signal says 128 and the signal's number.
    """

    OK = 0
    """It was done; what was looked at is as it should be."""
    FAILED = 1
    """What was looked at, the pipeline or a job, has failed."""
    USAGE = 2
    """What was asked for can't be done as asked: a mistake, or there is no such job."""
    UNREACHABLE = 3
    """The engine does not run there, can't be reached, or can't answer."""
    REFUSED = 4
    """It was refused: it is not allowed, or can't be done to what is as it is now."""
    UNKNOWN = 5
    """How what was looked at ends is not known yet."""


class Unreachable(CommandError):
    """No engine answers."""

    status = ClientExit.UNREACHABLE


class AccessDenied(CommandError):
    """Who asks may not do that."""

    status = ClientExit.REFUSED


class CantBeDone(CommandError):
    """It can't be done now, though it might be later."""

    status = ClientExit.REFUSED
