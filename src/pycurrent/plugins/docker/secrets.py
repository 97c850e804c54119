"""Secrets for containers and builds: in the environment of `docker`, never in its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pycurrent.engine import Job
from pycurrent.engine.secret import Secret, SecretMissing, is_variable
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

# Variables that `docker` itself reads.
_TAKEN = re.compile(r"PATH|HOME|(DOCKER|BUILDKIT|BUILDX|COMPOSE)_.*")


@dataclass(frozen=True, slots=True)
class DockerSecrets:
    """Secrets by their names: values, or their places. Context, so a new one does not run anything
    again.

    Raises UsageError for a malformed name of an environment variable, and for something else than
    a secret.
    """

    values: Mapping[str, str | Secret] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, given: Any) -> DockerSecrets:
        """The secrets that an author gives."""
        if given is not None and not isinstance(given, Mapping):
            raise WrongKind(
                f"secrets= takes a dict, not {shown(given)}: write"
                ' {"API_TOKEN": Secret.from_env("API_TOKEN")}, say'
            )
        return cls(dict(given or {}))

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if not is_variable(name) or _TAKEN.fullmatch(name):
                raise UsageError(
                    f"{name!r} can't be the name of a secret: write one like API_TOKEN"
                )
            if not isinstance(value, str | Secret):
                # Without the value, which may be a secret.
                raise WrongKind(
                    f"secrets= takes a Secret or a text for {name}, not a {type(value).__name__}:"
                    f' write Secret.from_env("{name}"), or Secret.from_file(...)'
                )

    async def told(self, job: Job) -> Mapping[str, str]:
        """Return the environment that holds them, and mask them in the job's log. Raises
        `SecretMissing`.
        """
        values = await in_thread(self._read)
        for value in values.values():
            job.secret(value)
        return values

    def _read(self) -> dict[str, str]:
        return {name: _read(name, value) for name, value in self.values.items()}

    def for_build(self) -> list[str]:
        """Return the options of a build. A step mounts one: `RUN --mount=type=secret,id=NAME`."""
        return [f"--secret=id={name},env={name}" for name in self.values]

    def for_run(self) -> list[str]:
        """Return the options of a container, which gets them in its environment."""
        return [f"--env={name}" for name in self.values]


def _read(name: str, value: str | Secret) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.read()
    except SecretMissing as missing:
        raise SecretMissing(f"no secret for {name}: {missing}") from None
