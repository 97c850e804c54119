"""Secrets for containers and builds: in the environment of `docker`, never in its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pycurrent.engine import Job
from pycurrent.errors import UsageError

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# By these `docker` itself is told what to do.
_TAKEN = re.compile(r"PATH|HOME|(DOCKER|BUILDKIT|BUILDX|COMPOSE)_.*")


@dataclass(frozen=True, slots=True)
class DockerSecrets:
    """Values by their names: context, so that a new value makes nothing anew.

    Raises UsageError for what can't be the name of an environment variable.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in self.values:
            if not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
                raise UsageError(f"a secret can't have the name {name!r}: write one like API_TOKEN")

    def told(self, job: Job) -> Mapping[str, str]:
        """The environment that holds them; the job's log is to mask them."""
        for value in self.values.values():
            job.secret(value)
        return self.values

    def for_build(self) -> list[str]:
        """Options of a build: a step gets one by `RUN --mount=type=secret,id=NAME`."""
        return [f"--secret=id={name},env={name}" for name in self.values]

    def for_run(self) -> list[str]:
        """Options of a container: they are in its environment."""
        return [f"--env={name}" for name in self.values]
