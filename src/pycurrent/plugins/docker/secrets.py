"""Secrets for containers and builds: in the environment of `docker`, never in its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pycurrent.engine import Job
from pycurrent.errors import UsageError

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Variables that `docker` itself reads.
_TAKEN = re.compile(r"PATH|HOME|(DOCKER|BUILDKIT|BUILDX|COMPOSE)_.*")


@dataclass(frozen=True, slots=True)
class DockerSecrets:
    """Secret values by their names. Context, so a new value does not run anything again.

    Raises UsageError for a malformed name of an environment variable.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in self.values:
            if not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
                raise UsageError(
                    f"{name!r} can't be the name of a secret: write one like API_TOKEN"
                )

    def told(self, job: Job) -> Mapping[str, str]:
        """Return the environment that holds them, and mask them in the job's log."""
        for value in self.values.values():
            job.secret(value)
        return self.values

    def for_build(self) -> list[str]:
        """Return the options of a build. A step mounts one: `RUN --mount=type=secret,id=NAME`."""
        return [f"--secret=id={name},env={name}" for name in self.values]

    def for_run(self) -> list[str]:
        """Return the options of a container, which gets them in its environment."""
        return [f"--env={name}" for name in self.values]
