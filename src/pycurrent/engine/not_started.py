"""Why a command could not be started, in words for people."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import assert_never

from pycurrent.engine.machine import Blame, blame
from pycurrent.engine.supervisor import StartStage
from pycurrent.errors import PycurrentError
from pycurrent.term import FailureKind


class CommandNotStarted(PycurrentError):
    """A command could not be started; nothing of it has run.

    As a rule the work is not to blame: something of the machine is missing (`BROKEN`), or has
    run out (`SHORTAGE`). Only a command that no machine could run is the work's fault.
    """

    def __init__(self, message: str, blame: Blame = Blame.BROKEN) -> None:
        super().__init__(message)
        self.blame = blame
        self.kind = FailureKind.REAL if blame is Blame.WORK else FailureKind.INFRA


def not_started(command: str, why: str, blame: Blame = Blame.BROKEN) -> CommandNotStarted:
    """Only the name of the command is told: its arguments may be secret."""
    return CommandNotStarted(f"can't start {command!r}: {why}", blame)


def blame_of(stage: StartStage, number: int) -> Blame:
    """The one to blame for the failure of `stage` with the errno `number`."""
    if stage is StartStage.FORK:
        return Blame.SHORTAGE
    if number == errno.E2BIG:
        return Blame.WORK
    return max(Blame.BROKEN, blame(OSError(number, "")))


def explain(command: str, cwd: Path | None, stage: StartStage, number: int) -> str:
    """The reason in words, when `stage` failed with the errno `number`."""
    match stage:
        case StartStage.FORK:
            return f"no further process can be made ({reason(number)})"
        case StartStage.CHDIR:
            return f"its working directory {str(cwd or Path())!r}: {reason(number)}"
        case StartStage.INTERPRETER:
            return "the interpreter that its first line names does not exist"
        case StartStage.EXEC:
            return _explain_exec(command, number)
        case _:
            assert_never(stage)


_SHELL = frozenset("|&;<>()$`*?")
"""The characters that mean something to a shell."""

_OF_SHELLS = frozenset({"cd", "export", "source", ".", "set", "unset", "ulimit", "alias"})
"""The commands that a system need not have, because a shell has them itself."""


def _explain_exec(command: str, number: int) -> str:
    match number:
        case errno.ENOENT if len(command.split()) > 1 or set(command) & _SHELL:
            whole = json.dumps(command, ensure_ascii=False)
            return (
                f"there is no such command: a command is a list of its words, and for a shell"
                f' ["sh", "-c", {whole}]'
            )
        case errno.ENOENT if command in _OF_SHELLS:
            return (
                "there is no such command, as only a shell has it: give cwd= and env=, or write"
                ' ["sh", "-c", "..."]'
            )
        case errno.ENOENT if "/" not in command:
            return "there is no such command on the PATH"
        case errno.E2BIG:
            return "its arguments and environment are longer than the system allows"
        case errno.ENOEXEC:
            return "this system can't run the file: does its first line lack a #! ?"
        case errno.EACCES:
            return "permission denied (is the file executable?)"
        case _:
            return reason(number)


def reason(number: int | None) -> str:
    """The system's words for an errno, lower-cased to stand in a sentence."""
    words = os.strerror(number or 0)
    return words[0].lower() + words[1:]
