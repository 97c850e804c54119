"""A command as part of a key: its words, its environment and its sandbox."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pycurrent.engine.shell_words import check_words
from pycurrent.errors import UsageError
from pycurrent.plugins.argv import checked_words
from pycurrent.plugins.command.environment import BASICS
from pycurrent.plugins.command.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Program:
    """A command, and all that it depends on but the files that it runs in."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    sandbox: Sandbox | None = None
    is_clean: bool = False
    """True if the environment is a clean one. In a sandbox it always is, without being said."""

    def __str__(self) -> str:
        return shlex.join(self.argv)

    def parts(self) -> dict[str, object]:
        """The form in keys. It has no word of an option that is not used, so results from before
        there was that option are known.
        """
        parts: dict[str, object] = {"argv": list(self.argv), "env": self.env}
        if self.sandbox is not None:
            parts["sandbox"] = self.sandbox.to_json()
        elif self.is_clean:
            parts["clean"] = True
        return parts

    @classmethod
    def of_parts(cls, data: Any) -> Self:
        sandbox = Sandbox.from_json(data["sandbox"]) if "sandbox" in data else None
        return cls(tuple(data["argv"]), data["env"], sandbox, data.get("clean", False))

    def by_hand(self, given: Mapping[str, str], secrets: Collection[str]) -> str:
        """The line by which a person runs it in the same folder; secrets are to be filled in."""
        return " ".join(self._by_hand(given, secrets))

    def _by_hand(self, given: Mapping[str, str], secrets: Collection[str]) -> Iterator[str]:
        if self.is_clean:
            yield from ("env", "-i", 'HOME="$(mktemp -d)"', *_assignments(BASICS))
        yield from _assignments({**self.env, **given})
        yield from (f"{name}=..." for name in secrets)
        yield str(self)


def _assignments(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]


def shown_words(argv: Sequence[str]) -> str:
    """The words as people read them. Raises UsageError as `command_words` does."""
    return shlex.join(command_words(argv))


def command_words(argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command. Raises UsageError for anything else."""
    rule = "a command is a list of its words"
    words = checked_words(argv, rule)
    if not words:
        raise UsageError(f"{rule}, not {argv!r}")
    check_words(words)
    return words
