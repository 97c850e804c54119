"""Commands in checkouts: the key, the options and the operation that `run` and `output` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar

from pycurrent.cache import Builder
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.plugins.argv import Argv, as_text
from pycurrent.plugins.command.environment import CleanEnv
from pycurrent.plugins.command.options import InvocationOptions, runner_of
from pycurrent.plugins.command.program import Program, shown_words
from pycurrent.plugins.command.runner import Prepared, Runner
from pycurrent.plugins.git import Commit, Subtree, with_checkout
from pycurrent.plugins.git.subtree import Source, commit_labels, content_of, content_text
from pycurrent.plugins.options import named_after, operation_component
from pycurrent.term import Current, Primitive

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Invocation:
    """Everything that the result depends on.

    The repository in which it is found, the timeout, the level and the secrets don't
    matter to it.
    """

    source: str | dict[str, str]
    """The hash of a commit, or the ids of the content at each path of a part of one."""
    program: Program

    def __str__(self) -> str:
        return f"{self.program} @{content_text(self.source)}"

    def to_json(self) -> object:
        """The form in keys."""
        return {
            "commit" if isinstance(self.source, str) else "tree": self.source,
            **self.program.parts(),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        source = data["commit"] if "commit" in data else data["tree"]
        return cls(source, Program.of_parts(data))


@dataclass(frozen=True, slots=True)
class CheckoutWork(Builder[Invocation, V]):
    """Runs a command in a checkout. The key is the invocation; the fields are only context."""

    auto_cancel: ClassVar[bool] = True

    source: Source
    runner: Runner

    def started_with(self, key: Invocation) -> Limits | None:
        return self.runner.started_with(key.program)

    def labels(self, key: Invocation) -> Mapping[str, str]:
        return commit_labels(self.source)

    async def build(self, job: Job, key: Invocation) -> V:
        if self.started_with(key) is None:
            await self.runner.start(job, key.program)
        files = with_checkout(job, self.source)
        async with self.runner.prepared(job, key.program, files) as prepared:
            return await self.execute(job, prepared)

    @abstractmethod
    async def execute(self, job: Job, command: Prepared) -> V:
        """Run the command. Raises CommandFailed or CommandNotStarted."""


def on_currents(
    public: Callable[..., object],
    operation: Callable[[Source, Runner], CheckoutWork[V]],
    commit: Source | Current[Commit] | Current[Subtree],
    argv: Argv,
    options: InvocationOptions,
) -> Current[V]:
    """The component of a command whose parts may be currents; made for a `public` function."""
    runner, sandbox = runner_of(options), options["sandbox"]

    @named_after(public)
    def on_values(
        commit: Source,
        argv: Sequence[str],
        env: Mapping[str, str] | CleanEnv | Literal["clean"] | None,
        shown: str,
        keys: Sequence[str] = (),
    ) -> Primitive[V]:
        known = runner.with_keys(keys)
        key = Invocation(content_of(commit), known.program(argv, env, sandbox))
        return operation(commit, known).get(
            key, retry=options["retry"], schedule=options["schedule"]
        )

    shown = as_text(argv, shown_words)
    # A stage has its name from what is known before it runs.
    default = f"{public.__name__} {{shown}}" if isinstance(argv, Current) else "{shown}"
    return operation_component(
        options["label"], default, on_values, commit, argv, options["env"], shown, *runner.keys
    )
