"""What the operations of this plugin have in common: a command, and a commit to run it in."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from pycurrent.engine import Job
from pycurrent.errors import UsageError
from pycurrent.plugins.command.bubblewrap import Bubblewrap, environment
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.git import Commit, outside_repositories, with_checkout
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits
from pycurrent.plugins.words import checked_words
from pycurrent.term import Current, Primitive, component, map

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the result depends on, and nothing else: in which repository the commit is found,
    how long it may take, and who has to agree, don't matter to it.
    """

    commit: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    sandbox: Sandbox | None = None

    def __str__(self) -> str:
        return f"{shlex.join(self.argv)} @{self.commit[:10]}"

    def to_json(self) -> object:
        """As it is in keys: those without a sandbox are as they were before there were any."""
        parts: dict[str, object] = {
            "commit": self.commit,
            "argv": list(self.argv),
            "env": self.env,
        }
        if self.sandbox is not None:
            parts["sandbox"] = self.sandbox.to_json()
        return parts

    @classmethod
    def from_json(cls, data: Any) -> Self:
        sandbox = Sandbox.from_json(data["sandbox"]) if "sandbox" in data else None
        return cls(data["commit"], tuple(data["argv"]), data["env"], sandbox)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command, as a job can run it."""

    argv: Sequence[str]
    folder: Path
    env: Mapping[str, str | None]
    shown: str


@asynccontextmanager
async def prepared(
    job: Job, limits: Limits, repository: Path, invocation: Invocation
) -> AsyncIterator[Prepared]:
    """Start the job, and give it the command in a checkout of the commit, for the block."""
    # Nobody is asked to confirm, or has to wait for, what can't be run anyhow.
    bubblewrap = None if invocation.sandbox is None else Bubblewrap.find()
    await limits.start(job)
    async with (
        with_checkout(job, Commit(repository, invocation.commit)) as folder,
        _command(job, invocation, bubblewrap, folder) as prepared,
    ):
        yield prepared


@asynccontextmanager
async def _command(
    job: Job, invocation: Invocation, bubblewrap: Bubblewrap | None, folder: Path
) -> AsyncIterator[Prepared]:
    argv, env, sandbox = invocation.argv, invocation.env, invocation.sandbox
    shown = shlex.join(argv)
    if sandbox is None or bubblewrap is None:
        # In which it finds no other repository than the one that it is run in.
        yield Prepared(argv, folder, outside_repositories(env), shown)
        return
    async with bubblewrap.wrapped(job, sandbox, folder, argv) as wrapped:
        yield Prepared(wrapped, folder, environment(env), shown)


Words = Sequence[str] | Current[Sequence[str]]
Variables = Mapping[str, str] | Current[Mapping[str, str]] | None


def on_currents(
    primitive: Callable[[Path, Invocation], Primitive[T]],
    commit: Commit | Current[Commit],
    argv: Words,
    env: Variables,
    sandbox: Sandbox | None,
    label: str | None,
) -> Current[T]:
    """The component of an invocation whose parts may be currents or plain values."""

    def on_values(
        commit: Commit, argv: Sequence[str], env: Mapping[str, str] | None, shown: str
    ) -> Primitive[T]:
        key = Invocation(commit.hash, _words(argv), dict(env or {}), sandbox)
        return primitive(commit.repository, key)

    # Messages name what was called.
    on_values.__qualname__, on_values.__module__ = primitive.__qualname__, primitive.__module__
    shown = map(_joined, argv) if isinstance(argv, Current) else _joined(argv)
    return component(label_or(label, "{shown}"))(on_values)(commit, argv, env, shown)


def _joined(argv: Sequence[str]) -> str:
    return shlex.join(_words(argv))


def _words(argv: Sequence[str]) -> tuple[str, ...]:
    rule = "a command is a list of its words"
    words = checked_words(argv, rule)
    if not words:
        raise UsageError(f"{rule}, not {argv!r}")
    return words
