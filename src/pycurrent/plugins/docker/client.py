"""How an engine is reached: the `docker` command line, which all operations go through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycurrent.errors import UsageError

DEFAULT_ENGINE = "default"


@dataclass(frozen=True, slots=True)
class Client:
    """One engine.

    `host` is its address (`unix:///run/docker.sock`, `ssh://builder`, `tcp://...`) or the name
    of one of Docker's own contexts (`docker context ls`); None is whatever `docker` takes by
    itself. `config` is the folder of the settings of `docker`, by default $DOCKER_CONFIG or
    ~/.docker. Raises UsageError for what can be neither.
    """

    host: str | None = None
    config: Path | None = None

    def __post_init__(self) -> None:
        if self.host is not None and (not self.host or self.host.startswith("-")):
            raise UsageError(f"{self.host!r} is no address of an engine, and no Docker context")

    @property
    def engine(self) -> str:
        """The engine, as keys name it: images and containers are in this one only."""
        return self.host or DEFAULT_ENGINE

    def command(self, program: str, words: Sequence[str]) -> list[str]:
        """The words as a command of `docker`, or of a program that takes the same options."""
        if self.host is None:
            return [program, *words]
        option = "--host" if "://" in self.host else "--context"
        return [program, option, self.host, *words]
