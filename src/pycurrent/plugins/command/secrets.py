"""Secrets for commands: in their environment, and never in their arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pycurrent.engine import Job
from pycurrent.engine.encoding import encode
from pycurrent.engine.masking import Secrets, masked
from pycurrent.engine.secret import Secret, SecretMissing, is_variable
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Failure, shown


@dataclass(frozen=True, slots=True)
class CommandSecrets:
    """The secrets of a command by the variables that it finds them in.

    They are context: neither their values nor their names are in a key.
    """

    sources: Mapping[str, Secret] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> CommandSecrets:
        """The secrets that an author gives. Raises UsageError for what can't be any."""
        if given is None:
            return cls()
        if not isinstance(given, Mapping):
            raise WrongKind(
                f"secrets= takes a dict, not {shown(given)}: write"
                ' {"API_TOKEN": Secret.from_env("API_TOKEN")}, say'
            )
        for name, source in given.items():
            if not is_variable(name):
                raise UsageError(
                    f"{name!r} can't be the variable of a secret: write one like API_TOKEN"
                )
            if not isinstance(source, Secret):
                # Without the value, which may be a secret.
                raise WrongKind(
                    f"secrets= takes a Secret for {name}, not a {type(source).__name__}: write"
                    f' Secret.from_env("{name}"), or Secret.from_file(...)'
                )
        return cls(dict(given))

    def __bool__(self) -> bool:
        return bool(self.sources)

    def check_apart(self, variables: Collection[str]) -> None:
        """Raise UsageError if a variable is given both in plain and as a secret."""
        if both := sorted(self.sources.keys() & set(variables)):
            raise UsageError(f"{both[0]} is both in env= and in secrets=: leave out one of them")

    async def check(self) -> None:
        """Read them once, and forget them. Raises SecretMissing."""
        await in_thread(self._read)

    async def told(self, job: Job) -> dict[str, str]:
        """Read them, mask them in the job's log from here on, and return the variables that hold
        them. Raises SecretMissing.
        """
        values = await in_thread(self._read)
        for value in values.values():
            job.secret(value)
        return values

    def _read(self) -> dict[str, str]:
        values = {}
        for name, source in self.sources.items():
            try:
                values[name] = source.read()
            except SecretMissing as missing:
                raise SecretMissing(f"no secret for {name}: {missing}") from None
        return values


async def check_free_of(output: str, secrets: Mapping[str, str]) -> None:
    """Raise Failure if an output, which is to be recorded, has a secret in any spelling."""
    await in_thread(lambda: _check_free_of(output, secrets))


def _check_free_of(output: str, secrets: Mapping[str, str]) -> None:
    text = encode(output)
    for name, value in secrets.items():
        if masked(text, Secrets.of(value)) != text:
            raise Failure(
                f"the command has printed the secret {name}, and its output would be recorded:"
                " have it print anything else"
            )
