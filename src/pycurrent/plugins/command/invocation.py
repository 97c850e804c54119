"""Commands in checkouts: the key, the options and the operation that `run` and `output` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pycurrent.cache import Builder, Retry, Schedule
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.files import Tree
from pycurrent.plugins.argv import Argv, as_text
from pycurrent.plugins.command.environment import CleanEnv
from pycurrent.plugins.command.files import FilesSource, placed, with_files
from pycurrent.plugins.command.options import InvocationOptions, runner_of
from pycurrent.plugins.command.program import Program, shown_words
from pycurrent.plugins.command.report import Report, report_json, report_of_json
from pycurrent.plugins.command.runner import Prepared, Runner
from pycurrent.plugins.git import with_checkout
from pycurrent.plugins.git.subtree import Source, commit_labels, content_of, content_text
from pycurrent.plugins.options import named_after, operation_component
from pycurrent.plugins.saved_files import (
    GivenFiles,
    Saved,
    all_files_json,
    all_files_of_json,
    files_json,
)
from pycurrent.term import Current, Primitive

V = TypeVar("V")

NO_FILES = GivenFiles({})


@dataclass(frozen=True, slots=True)
class Invocation:
    """Everything that the result depends on.

    The repository in which it is found, the timeout, the level and the secrets don't
    matter to it.
    """

    source: str | dict[str, str] | Tree
    """The hash of a commit, the ids of the content at each path of a part of one, or files that a
    job has saved.
    """
    program: Program
    inputs: dict[str, Saved] = field(default_factory=dict)
    """The files that it is given, by their paths."""
    outputs: tuple[str, ...] = ()
    """The patterns of the files that are kept of what it makes."""
    outputs_required: bool = False
    """True if a pattern that matches nothing is a failure."""
    report: Report | None = None
    """The reports of its tests."""

    def __str__(self) -> str:
        source = self.source
        about = str(source) if isinstance(source, Tree) else f"@{content_text(source)}"
        return f"{self.program} {about}"

    def to_json(self) -> object:
        """The form in keys. It has no word of what is not used, as with `Program`."""
        match self.source:
            case Tree() as tree:
                form: dict[str, object] = {"files": files_json(tree)}
            case str() as commit:
                form = {"commit": commit}
            case paths:
                form = {"tree": paths}
        form |= self.program.parts()
        form |= all_files_json(self.inputs, self.outputs, required=self.outputs_required)
        if self.report is not None:
            form["report"] = report_json(self.report)
        return form

    @classmethod
    def from_json(cls, data: Any) -> Self:
        source: str | dict[str, str] | Tree
        if "files" in data:
            source = Tree(**data["files"])
        else:
            source = data["commit"] if "commit" in data else data["tree"]
        report = report_of_json(data["report"]) if "report" in data else None
        return cls(source, Program.of_parts(data), *all_files_of_json(data), report)


@dataclass(frozen=True, slots=True)
class CheckoutWork(Builder[Invocation, V]):
    """Runs a command in a checkout. The key is the invocation; the fields are only context."""

    auto_cancel: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    source: Source | Tree
    runner: Runner

    def wanted(
        self, key: Invocation, *, retry: Retry | None, schedule: Schedule | None
    ) -> Primitive[V]:
        """Want the result for a key."""
        return self.get(key, retry=retry, schedule=schedule)

    def started_with(self, key: Invocation) -> Limits | None:
        return self.runner.started_with(key.program)

    def labels(self, key: Invocation) -> Mapping[str, str]:
        return commit_labels(self.source)

    async def build(self, job: Job, key: Invocation) -> V:
        if self.started_with(key) is None:
            await self.runner.start(job, key.program)
        files = with_files(job, self._folder(job), key.inputs)
        async with self.runner.prepared(job, key.program, files) as prepared:
            return await self.execute(job, prepared, key)

    def _folder(self, job: Job) -> AbstractAsyncContextManager[Path]:
        if isinstance(self.source, Tree):
            return placed(job, self.source)
        return with_checkout(job, self.source)

    @abstractmethod
    async def execute(self, job: Job, command: Prepared, key: Invocation) -> V:
        """Run the command. Raises CommandFailed or CommandNotStarted."""


def on_currents(
    public: Callable[..., object],
    operation: Callable[[Source | Tree, Runner], CheckoutWork[V]],
    commit: FilesSource,
    argv: Argv,
    options: InvocationOptions,
    *,
    given: GivenFiles = NO_FILES,
    outputs: tuple[str, ...] = (),
    outputs_required: bool = False,
    report: Report | None = None,
) -> Current[V]:
    """The component of a command whose parts may be currents; made for a `public` function."""
    runner, sandbox = runner_of(options), options["sandbox"]

    @named_after(public)
    def on_values(
        commit: Source | Tree,
        argv: Sequence[str],
        env: Mapping[str, str] | CleanEnv | Literal["clean"] | None,
        shown: str,
        *rest: Any,
    ) -> Primitive[V]:
        files = given.with_values(rest[-1] if given.currents else ())
        known = runner.with_keys(rest[0] if runner.keys else ())
        source = commit if isinstance(commit, Tree) else content_of(commit)
        program = known.program(argv, env, sandbox)
        key = Invocation(source, program, files, outputs, outputs_required, report)
        work = operation(commit, known)
        return work.wanted(key, retry=options["retry"], schedule=options["schedule"])

    shown = as_text(argv, shown_words)
    # A stage has its name from what is known before it runs.
    default = f"{public.__name__} {{shown}}" if isinstance(argv, Current) else "{shown}"
    return operation_component(
        options["label"],
        default,
        on_values,
        commit,
        argv,
        options["env"],
        shown,
        *runner.keys,
        *given.currents,
    )
