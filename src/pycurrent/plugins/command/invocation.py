"""Commands in checkouts: the key, the options and the operation that `run` and `output` share."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pycurrent.cache import Builder
from pycurrent.engine import CommandOptions, Job
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.argv import Argv, as_text, checked_words
from pycurrent.plugins.command.bubblewrap import Bubblewrap, environment
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.git import Commit, outside_repositories, with_checkout
from pycurrent.plugins.options import Options, limits_of, named_after, operation_component
from pycurrent.term import Current, Primitive

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Invocation:
    """Everything that the result depends on.

    The repository in which the commit is found, the timeout and the level don't matter to it.
    """

    commit: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    sandbox: Sandbox | None = None

    def __str__(self) -> str:
        return f"{shlex.join(self.argv)} @{self.commit[:10]}"

    def to_json(self) -> object:
        """The form in keys. Without a sandbox it is the same as before sandboxes existed."""
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
    """A command that a job can run as it is."""

    argv: Sequence[str]
    options: CommandOptions


@dataclass(frozen=True, slots=True)
class CheckoutWork(Builder[Invocation, V]):
    """Runs a command in a checkout. The key is the invocation; the fields are only context."""

    auto_cancel: ClassVar[bool] = True

    repository: Path
    limits: Limits

    def started_with(self, key: Invocation) -> Limits | None:
        return self.limits if key.sandbox is None else None

    def labels(self, key: Invocation) -> Mapping[str, str]:
        return {"commit": key.commit}

    async def build(self, job: Job, key: Invocation) -> V:
        bubblewrap = None
        if key.sandbox is not None:
            # Before the start: nobody should confirm, or wait for, what can't run anyway.
            bubblewrap = Bubblewrap.find()
            await self.limits.start(job)
        async with (
            with_checkout(job, Commit(self.repository, key.commit)) as folder,
            _command(job, key, bubblewrap, folder) as prepared,
        ):
            return await self.execute(job, prepared)

    @abstractmethod
    async def execute(self, job: Job, command: Prepared) -> V:
        """Run the command. Raises CommandFailed or CommandNotStarted."""


@asynccontextmanager
async def _command(
    job: Job, invocation: Invocation, bubblewrap: Bubblewrap | None, folder: Path
) -> AsyncIterator[Prepared]:
    argv, env, sandbox = invocation.argv, invocation.env, invocation.sandbox
    shown = shlex.join(argv)
    if sandbox is None or bubblewrap is None:
        # The command must not find another repository than the one that it runs in.
        yield Prepared(argv, {"cwd": folder, "env": outside_repositories(env), "show": shown})
        return
    async with bubblewrap.wrapped(job, sandbox, folder, argv) as wrapped:
        yield Prepared(wrapped, {"cwd": folder, "env": environment(env), "show": shown})


class InvocationOptions(Options, total=False):
    """The options of a command in a checkout."""

    env: Mapping[str, str] | Current[Mapping[str, str]] | None
    sandbox: Sandbox | None


def on_currents(
    public: Callable[..., object],
    operation: Callable[[Path, Limits], CheckoutWork[V]],
    commit: Commit | Current[Commit],
    argv: Argv,
    options: InvocationOptions,
) -> Current[V]:
    """The component of a command whose parts may be currents; made for a `public` function."""
    limits, sandbox = limits_of(options), options["sandbox"]

    @named_after(public)
    def on_values(
        commit: Commit, argv: Sequence[str], env: Mapping[str, str] | None, shown: str
    ) -> Primitive[V]:
        key = Invocation(commit.hash, _words(argv), dict(env or {}), sandbox)
        return operation(commit.repository, limits).get(key, retry=options["retry"])

    shown = as_text(argv, _joined)
    return operation_component(
        options["label"], "{shown}", on_values, commit, argv, options["env"], shown
    )


def _joined(argv: Sequence[str]) -> str:
    return shlex.join(_words(argv))


def _words(argv: Sequence[str]) -> tuple[str, ...]:
    rule = "a command is a list of its words"
    words = checked_words(argv, rule)
    if not words:
        raise UsageError(f"{rule}, not {argv!r}")
    return words
