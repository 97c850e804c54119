"""Set something to a commit, or to a value, by a command: a deployment, a release."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack

from pycurrent.cache import Publisher
from pycurrent.cache.codec import codec_for
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.command.environment import CleanEnv, variables_of
from pycurrent.plugins.command.options import InvocationOptions, runner_of
from pycurrent.plugins.command.program import Program, command_words
from pycurrent.plugins.command.runner import Runner
from pycurrent.plugins.git import Commit, CommitId, Subtree, with_checkout
from pycurrent.plugins.git.subtree import Source, commit_labels, content_of, content_text
from pycurrent.plugins.options import named_after, operation_component, with_options
from pycurrent.term import Current, Primitive

VALUE = "PYCURRENT_VALUE"
"""The variable in which the command finds the hash of the commit, or the value."""
_SHOWN = 60
"""In characters: so much of a value is in the description of a job."""


@dataclass(frozen=True, slots=True)
class ToCommit:
    """The state of a key that is set to a commit, or to a part of one."""

    content: str | dict[str, str]

    def __str__(self) -> str:
        return content_text(self.content)

    @property
    def text(self) -> str:
        """The text that the command gets."""
        return self.content if isinstance(self.content, str) else _as_text(self.content)


@dataclass(frozen=True, slots=True)
class ToValue:
    """The state of a key that is set to a value, as it is recorded."""

    recorded: object

    @classmethod
    def of(cls, value: object) -> Self:
        """Raises UsageError for a value without a stable form."""
        codec = codec_for(type(value), what="the value of command.set")
        return cls(json.loads(codec.encode(value)))

    def __str__(self) -> str:
        text = self.text
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

    @property
    def text(self) -> str:
        """The text that the command gets."""
        if isinstance(self.recorded, str):
            return self.recorded
        return _as_text(self.recorded)


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Setting:
    """The state that a key is set to, and the command that sets it."""

    target: ToCommit | ToValue
    program: Program

    def __str__(self) -> str:
        return f"{self.target}: {self.program}"

    def to_json(self) -> object:
        """The form in records."""
        match self.target:
            case ToCommit(str(hash)):
                return {"commit": hash, **self.program.parts()}
            case ToCommit(ids):
                return {"tree": ids, **self.program.parts()}
            case ToValue(recorded):
                return {"value": recorded, **self.program.parts()}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        content = data.get("commit", data.get("tree"))
        target = ToValue(data["value"]) if content is None else ToCommit(content)
        return cls(target, Program.of_parts(data))


@dataclass(frozen=True, slots=True)
class CommandSet(Publisher[str, Setting, None]):
    """Sets a key by a command."""

    id: ClassVar[str] = "command-set"

    source: Source | None
    """The commit, or the part of one, if it is set to one."""
    runner: Runner

    def started_with(self, key: str) -> Limits | None:
        return None  # It depends on the program, which is not part of the key.

    def describe(self, key: str, value: Setting) -> str:
        return " ".join(f"set {key} to {value}".split())

    def labels(self, key: str, value: Setting) -> Mapping[str, str]:
        return commit_labels(self.source)

    async def publish(self, job: Job, key: str, value: Setting) -> None:
        program, target = value.program, value.target
        await self.runner.start(job, program)
        files, given = self._files(job, target), {VALUE: target.text}
        async with self.runner.prepared(job, program, files, given) as command:
            await job.exec(command.argv, **command.options)

    def _files(self, job: Job, target: ToCommit | ToValue) -> AbstractAsyncContextManager[Path]:
        match target:
            case ToCommit():
                assert self.source is not None
                return with_checkout(job, self.source)
            case ToValue():
                return job.tempdir("value-")


@with_options(level=Level.DANGEROUS)
def set(
    value: object,
    argv: Argv,
    *,
    key: str | Current[str],
    **options: Unpack[InvocationOptions],
) -> Current[None]:
    """Set a key, such as "production", to a commit or to another value by a command, and again
    each time that the value or the command changes: also when it changes back.

    The command runs in a clean checkout of the commit, or of a part of one (`git.tree`). With any
    other value, of a type with a stable form, it runs in an empty folder. The variable
    `PYCURRENT_VALUE` has the hash of the commit, or the value: a text as it is, anything else as
    JSON; for a part of a commit it has the ids that git gives its content, by their paths, as JSON.
    Two values for one key at once are an error that names both. When the value changes while the
    old one is being set, the command runs to its end, and then runs for the new value.

    All else is as with `run`, but that the level is dangerous, so it is never tried again by itself
    unless you give another one.
    """
    runner, sandbox = runner_of(options), options["sandbox"]
    _check_variables([*runner.secrets.sources, *(cache.variable for cache in runner.caches)])

    @named_after(set)
    def on_values(
        value: object,
        argv: Sequence[str],
        env: Mapping[str, str] | CleanEnv | Literal["clean"] | None,
        key: str,
        keys: Sequence[str] = (),
    ) -> Primitive[None]:
        known = runner.with_keys(keys)
        program = known.program(argv, env, sandbox)
        _check_variables(program.env)
        source = value if isinstance(value, Commit | Subtree) else None
        setting = Setting(_target(value), program)
        return CommandSet(source, known).set(
            key, setting, retry=options["retry"], schedule=options["schedule"]
        )

    label, env = options["label"], options["env"]
    made = operation_component(label, "set {key}", on_values, value, argv, env, key, *runner.keys)
    # Plain values are refused where they are written, rather than by the engine.
    if not isinstance(value, Current):
        _target(value)
    if not isinstance(argv, Current):
        command_words(argv)
    if not isinstance(env, Current):
        _check_variables(variables_of(env)[0])
    return made


def _check_variables(given: Collection[str]) -> None:
    if VALUE in given:
        raise UsageError(
            f"the command finds the value in {VALUE}, so neither env=, secrets= nor cache= can have"
            " it"
        )


def _target(value: object) -> ToCommit | ToValue:
    if isinstance(value, Commit | Subtree):
        return ToCommit(content_of(value))
    if isinstance(value, CommitId):
        raise UsageError(
            "command.set takes a commit that is on this machine, or a value, not a CommitId: write"
            " git.fetch(commit_id), or commit_id.hash"
        )
    return ToValue.of(value)
