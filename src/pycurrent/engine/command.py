"""A command of a job: its words, how it is run, and how it is shown."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from pycurrent.engine.arguments import check_command
from pycurrent.engine.machine import Blame
from pycurrent.engine.place import JobPath
from pycurrent.engine.shell_words import check_words
from pycurrent.engine.tempdirs import temporary_file
from pycurrent.errors import PycurrentError, UsageError, WrongKind
from pycurrent.term import Stand

_KILLED_IN_SHELL = 128 + signal.SIGKILL
"""The status of a shell whose command was killed."""


class CommandFailed(PycurrentError):
    """A command ended with another status than 0."""

    # Whatever was tried before: this one has run.
    blame = Blame.WORK

    def __init__(self, command: str, status: int, hint: str = "") -> None:
        super().__init__(f"{command} {_how(status)}{hint and f': {hint}'}")
        self.command = command
        self.status = status
        self.stdout_at: int | None = None
        """Where in the log its standard output begins, if that was asked for: it follows all that
        was logged before, its standard error too.
        """


def _how(status: int) -> str:
    """How a command has ended, in words for people."""
    told = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
    if status == -signal.SIGKILL:
        return f"{told}, as by the system when memory is short"
    if status == _KILLED_IN_SHELL:
        return f"{told}, as after signal 9, by which the system kills when memory is short"
    return told


class CommandOptions(TypedDict, total=False):
    """How a command is run, and how it is shown: see `Job.exec`."""

    cwd: Path | str | None
    env: Mapping[str, str | None] | None
    stdin: str | bytes | None
    cancellable: bool
    grace: float | None
    show: str | Sequence[str] | None
    trusted: bool
    here: bool


class Command:
    """A command, how it is run, and how it is shown."""

    def __init__(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> None:
        """As for `Job.exec`. Raises `UsageError` if `argv` is not a list of words, and for an
        option that is wrong.
        """
        is_list = isinstance(argv, Sequence) and not isinstance(argv, str | bytes)
        if not is_list or not argv or not all(map(_is_word, argv)):
            raise _not_words(argv)
        check_command(options, known=CommandOptions.__annotations__)
        cwd, env, stdin = options.get("cwd"), options.get("env"), options.get("stdin")
        show = options.get("show")
        self.argv = [str(word) if isinstance(word, JobPath) else os.fspath(word) for word in argv]
        if show is None:
            check_words(self.argv)
        self.cwd = None if cwd is None else Path(cwd)
        self.changes = {} if env is None else env
        """The variables that are not as the engine has them; None: without it."""
        self.env = None if env is None else _environment(env)
        self.cancellable = options.get("cancellable", True)
        self.here = options.get("here", False)
        """True if it runs on the engine's machine, whatever the place of the job is."""
        self.of_hook = False
        """True if a cancel hook runs it: then the end of the work is not its end."""
        self.grace = options.get("grace")
        self.shown = (
            show if isinstance(show, str) else shlex.join(self.argv if show is None else show)
        )
        self._is_shown = show is None
        self.stdin = stdin.encode() if isinstance(stdin, str) else stdin

    def hint(self, hint: Callable[[Sequence[str]], str]) -> str:
        """A hint about its words, unless they are not to be shown."""
        return hint(self.argv) if self._is_shown else ""

    def open_stdin(self, tmp: Path) -> int:
        """Opens the standard input of the command: a file, so that nobody has to feed it."""
        if self.stdin is None:
            return os.open(os.devnull, os.O_RDONLY)
        with temporary_file(tmp) as file:
            file.write(self.stdin)
            file.seek(0)
            return os.dup(file.fileno())


def _not_words(argv: object) -> UsageError:
    rule = f"a command is a list of its words, not {argv!r}"
    match argv:
        case str() if argv.strip():
            return WrongKind(f'{rule}: write {argv.split()}, or ["sh", "-c", ...] for a shell')
        case os.PathLike():
            return WrongKind(f"{rule}: write [...]")
        case list() | tuple() if any(isinstance(word, Stand) for word in argv):
            hint = "take the value of a current as a parameter of the function"
            return WrongKind(f"{rule}: {hint}")
        case list() | tuple() if argv:
            wrong = next(word for word in argv if not _is_word(word))
            return WrongKind(f"{rule}: write str(...) for {wrong!r}")
        case _:
            return WrongKind(rule)


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The engine's own, changed."""
    changed = {**os.environ, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def _is_word(word: object) -> bool:
    # A current has all special methods, to refuse them in its own words.
    return isinstance(word, str | os.PathLike) and not isinstance(word, Stand)
