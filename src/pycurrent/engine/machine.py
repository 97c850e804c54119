"""Telling whether the work of a job has failed, or the machine under it.

A failure that says something about the machine is not a result of the work. A shortage (no
descriptor, space, memory or process left) passes: the work is run again by itself. A broken machine
(a command or a folder is missing) has to be repaired first: the failure is shown, but not recorded,
so that the work is tried again after a restart, or a rebuild.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from enum import IntEnum
from types import TracebackType

from pycurrent.term import Failed, FailureKind

_SHORTAGES = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOMEM,
        errno.ENOBUFS,
    }
)
_OF_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM})
_FORKING = frozenset({"subprocess", "multiprocessing.popen_fork", "multiprocessing.util"})
"""The modules in which EAGAIN means that there can be no further process."""


class Blame(IntEnum):
    """The one to blame for a failure; of several the greatest counts."""

    WORK = 0
    """It is a result."""
    BROKEN = 1
    """Something of the machine has to be repaired before the work can be tried again."""
    SHORTAGE = 2
    """The machine has run out of something: the work can be tried again later."""


def blame(error: BaseException) -> Blame:
    """The one to blame for an exception, going by all those that have led to it.

    An exception may have an attribute `blame`; then it is the last one that is looked at.
    """
    return max(map(_own_blame, _chain(error)), default=Blame.WORK)


def attributed(failed: Failed, blame: Blame) -> Failed:
    """The failure, of kind INFRA if the machine is to blame for what was taken for the work's."""
    if failed.kind is FailureKind.REAL and blame is not Blame.WORK:
        return Failed(failed.message, kind=FailureKind.INFRA, traceback=failed.traceback)
    return failed


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its members, and what they come from, each once."""
    seen: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack:
        error_or_none = stack.pop()
        if error_or_none is None or id(error_or_none) in seen:
            continue
        seen.add(id(error_or_none))
        yield error_or_none
        if getattr(error_or_none, "blame", None) is Blame.WORK:
            # It knows that it speaks of the work, whatever was tried before.
            continue
        # Also if `from None` hides it: the machine is still to blame.
        stack += [error_or_none.__cause__, error_or_none.__context__]
        if isinstance(error_or_none, BaseExceptionGroup):
            stack += error_or_none.exceptions


def _own_blame(error: BaseException) -> Blame:
    known = getattr(error, "blame", None)
    if isinstance(known, Blame):
        return known
    match error:
        case OSError(errno=number) if number in _SHORTAGES:
            return Blame.SHORTAGE
        case BlockingIOError() if _module(error.__traceback__) in _FORKING:
            return Blame.SHORTAGE
        case MemoryError():
            return Blame.SHORTAGE
        case RuntimeError() if str(error) == "can't start new thread":
            return Blame.SHORTAGE
        case sqlite3.Error() if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_SQLITE:
            return Blame.SHORTAGE
        case _:
            return Blame.WORK


def _module(traceback: TracebackType | None) -> str | None:
    """The module in which an exception was raised."""
    name = None
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__")
        traceback = traceback.tb_next
    return name
