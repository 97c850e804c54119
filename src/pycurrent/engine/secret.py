"""Secrets: the places where they come from."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycurrent.engine.machine import Blame
from pycurrent.engine.maskable import SHORTEST_SECRET, is_too_short
from pycurrent.errors import PycurrentError, WrongKind
from pycurrent.term import FailureKind, shown

_LONGEST_SECRET = 1 << 16
"""In bytes: what a file may hold. The variable of a command can't be twice as long."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class SecretMissing(PycurrentError):
    """A secret can't be read. The machine has to be set up first, so this is not a result."""

    blame = Blame.BROKEN
    kind = FailureKind.INFRA


class Secret(ABC):
    """A secret of the engine's machine: known by the place where it is, and read by each job that
    uses it.

    So a new one counts from the next job on. Its value is never recorded.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __new__(cls, *args, **kwargs):
            if cls is Secret:
                raise WrongKind(
                    'a Secret is named by its place: write Secret.from_env("API_TOKEN"), or'
                    ' Secret.from_file("/etc/ci/token")'
                )
            return super().__new__(cls)

    @staticmethod
    def from_env(name: str) -> Secret:
        """The secret that a variable of the engine's environment holds."""
        if not is_variable(name):
            raise WrongKind(
                f"Secret.from_env takes the name of a variable, not {shown(name)}: write"
                ' Secret.from_env("API_TOKEN"), say'
            )
        return _SecretVariable(name)

    @staticmethod
    def from_file(path: str | os.PathLike[str]) -> Secret:
        """The secret that a file holds, without the line break at its end.

        A relative path is relative to the working directory of now.
        """
        if not isinstance(path, str | os.PathLike):
            raise WrongKind(
                f"Secret.from_file takes a path, not {shown(path)}: write"
                ' Secret.from_file("/etc/ci/token"), say'
            )
        return _SecretFile(Path(path).absolute())

    def read(self) -> str:
        """Read it. May block. Raises `SecretMissing` if it is not there, or can't be one."""
        text = self._text()
        if not text:
            raise SecretMissing(f"{self._place} is empty")
        if "\0" in text:
            raise SecretMissing(f"{self._place} has a NUL, which no text of a command can have")
        if is_too_short(text):
            raise SecretMissing(
                f"{self._place} has fewer than {SHORTEST_SECRET} characters, which can't be"
                " masked in a log"
            )
        return text

    @property
    @abstractmethod
    def _place(self) -> str: ...

    @abstractmethod
    def _text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _SecretVariable(Secret):
    name: str

    def __repr__(self) -> str:
        return f"Secret.from_env({self.name!r})"

    @property
    def _place(self) -> str:
        return f"the engine's variable {self.name}"

    def _text(self) -> str:
        text = os.environ.get(self.name)
        if text is None:
            raise SecretMissing(f"{self._place} is not set")
        return _without_line_break(text)


@dataclass(frozen=True, slots=True)
class _SecretFile(Secret):
    path: Path

    def __repr__(self) -> str:
        return f"Secret.from_file({str(self.path)!r})"

    @property
    def _place(self) -> str:
        return f"the file {self.path}"

    def _text(self) -> str:
        try:
            # Not a pipe, which would hold up the job, and be empty for the next one.
            if self.path.exists() and not self.path.is_file():
                raise SecretMissing(f"{self.path} is not a file")
            with self.path.open("rb") as file:
                data = file.read(_LONGEST_SECRET + 1)
        except OSError as error:
            raise SecretMissing(f"{self._place} can't be read: {error.strerror}") from None
        if len(data) > _LONGEST_SECRET:
            raise SecretMissing(f"{self._place} is too long: it has over {_LONGEST_SECRET} bytes")
        return _without_line_break(data.decode(errors="surrogateescape"))


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def is_variable(name: Any) -> bool:
    """True for the name of a variable that every shell takes."""
    return isinstance(name, str) and _VARIABLE.fullmatch(name) is not None
