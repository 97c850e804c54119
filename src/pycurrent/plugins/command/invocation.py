"""What the operations of this plugin have in common: a command, and a commit to run it in."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pycurrent.engine import AnyPool, Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.git import Commit, outside_repositories, with_checkout
from pycurrent.term import Current, Primitive, component, map

T = TypeVar("T")

Timeout = timedelta | float | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the result depends on, and nothing else: in which repository the commit is found,
    how long it may take, and who has to agree, don't matter to it.
    """

    commit: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{shlex.join(self.argv)} @{self.commit[:10]}"

    @property
    def environment(self) -> dict[str, str | None]:
        """In which the command finds no other repository than the one that it is run in."""
        return outside_repositories(self.env)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms commands are run."""

    timeout: Timeout
    pool: AnyPool | None
    level: Level

    @asynccontextmanager
    async def checkout(
        self, job: Job, repository: Path, invocation: Invocation
    ) -> AsyncIterator[Path]:
        """Start the job, and give it a checkout of the commit for the block."""
        await job.start(level=self.level, pool=self.pool, timeout=self.timeout)
        async with with_checkout(job, Commit(repository, invocation.commit)) as folder:
            yield folder


Words = Sequence[str] | Current[Sequence[str]]
Variables = Mapping[str, str] | Current[Mapping[str, str]] | None


def on_currents(
    primitive: Callable[[Path, Invocation], Primitive[T]],
    commit: Commit | Current[Commit],
    argv: Words,
    env: Variables,
    label: str | None,
) -> Current[T]:
    """The component of an invocation whose parts may be currents or plain values."""

    def on_values(
        commit: Commit, argv: Sequence[str], env: Mapping[str, str] | None, shown: str
    ) -> Primitive[T]:
        return primitive(commit.repository, Invocation(commit.hash, _words(argv), dict(env or {})))

    text = "{shown}" if label is None else label.replace("{", "{{").replace("}", "}}")
    shown = map(_joined, argv) if isinstance(argv, Current) else _joined(argv)
    return component(text)(on_values)(commit, argv, env, shown)


def _joined(argv: Sequence[str]) -> str:
    return shlex.join(_words(argv))


def _words(argv: Sequence[str]) -> tuple[str, ...]:
    if isinstance(argv, str) or not argv:
        raise UsageError(f"a command is a list of its words, not {argv!r}")
    return tuple(argv)
