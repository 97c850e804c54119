"""Engines, and the `docker` command lines that reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycurrent.errors import UsageError

DEFAULT_ENGINE = "default"


@dataclass(frozen=True, slots=True)
class Client:
    """One engine.

    `host` is its address (`unix:///run/docker.sock`, `ssh://builder`, `tcp://...`) or the name of
    one of Docker's own contexts (`docker context ls`); None is the default of `docker`. `config` is
    the folder with the settings of `docker`, by default $DOCKER_CONFIG or ~/.docker. Raises
    UsageError for a malformed host.
    """

    host: str | None = None
    config: Path | None = None

    def __post_init__(self) -> None:
        if self.host is not None and (not self.host or self.host.startswith("-")):
            raise UsageError(
                f"{self.host!r} is not an engine: write an address like ssh://builder, or the name "
                "of a Docker context"
            )

    @property
    def engine(self) -> str:
        """The engine's name in keys: an image or container is in one engine only."""
        return self.host or DEFAULT_ENGINE

    def command(self, program: str, words: Sequence[str]) -> list[str]:
        """Return the command line of `docker`, or of a program that takes the same options."""
        if self.host is None:
            return [program, *words]
        option = "--host" if "://" in self.host else "--context"
        return [program, option, self.host, *words]
