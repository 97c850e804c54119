"""The exit statuses and errors of the client."""

from __future__ import annotations

from enum import IntEnum

from pycurrent.cli.status import CommandError


class ClientExit(IntEnum):
    """The exit statuses of `pycurrent client`; after a signal 128 plus the signal's number."""

    OK = 0
    """Done; the pipeline or job is ok."""
    FAILED = 1
    """The pipeline or job has failed."""
    USAGE = 2
    """The arguments are wrong: a mistake, or a job that does not exist."""
    UNREACHABLE = 3
    """The engine does not run there, can't be reached, or can't answer."""
    REFUSED = 4
    """Refused: not allowed, or not possible now."""
    UNKNOWN = 5
    """Not known yet: the job has not ended."""


class Unreachable(CommandError):
    """No engine answers."""

    status = ClientExit.UNREACHABLE


class AccessDenied(CommandError):
    """The user may not do that."""

    status = ClientExit.REFUSED


class CantBeDone(CommandError):
    """It is not possible now, but may be later."""

    status = ClientExit.REFUSED
