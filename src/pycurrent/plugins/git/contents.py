"""Answers to questions about commits: read beside the steps, and known within them.

The content of a commit never changes. If it was read only once a commit has come, it would be
unknown for a moment after each push, and that cancels the running jobs of all that the push leaves
as it was. So a repository that is watched, or a fetch, first has read what the stages of now ask of
commits of that repository: in the step in which the new commit comes, the answers are known.
Anything else is read when it is first asked for, and until then its stage has no value: at the
start, say, or for a commit that code has set.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from pycurrent.cache import ResultCache
from pycurrent.engine import OpenEngine, Timer
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.objects import ObjectReader
from pycurrent.term import (
    Active,
    Activity,
    Failed,
    FailureKind,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Subscription,
    failed_by,
)

T = TypeVar("T")

MOST_KNOWN = 20_000
"""How many answers are remembered. Stages keep theirs: this bridges the time until they ask."""

AGAIN = timedelta(seconds=30)
"""How long after git could not read a repository it is asked again."""


class Question(ABC, Generic[T]):
    """Something to be read from a commit. Equal questions have the same answer, for good."""

    @abstractmethod
    def read(self, reader: ObjectReader, commit: Commit) -> T:
        """Return the answer. Blocks. Raises Failure."""

    def of(self, commit: Commit) -> Primitive[T]:
        """The primitive of the answer."""
        return _Answer(self, commit)


class Contents:
    """The questions about commits, and the answers: a service of the engine."""

    def __init__(self, engine: OpenEngine) -> None:
        self.engine = engine
        self._asked: dict[Path, Counter[Question[Any]]] = {}
        """The questions of the stages of now, by repository."""
        self._known: OrderedDict[tuple[Commit, Question[Any]], Output[Any]] = OrderedDict()
        self._waiting: dict[Path, list[_Asking[Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._readers: set[ObjectReader] = set()
        self._is_closed = False
        engine.on_close(self._aclose)

    async def prepare(self, commit: Commit) -> None:
        """Read what the stages of now ask of commits of this repository, so that it is known in the
        step in which the commit comes. Never raises: what can't be read is asked again then.
        """
        asked = [
            question
            for question in self._asked.get(commit.repository, ())
            if (commit, question) not in self._known
        ]
        if asked:
            await self._read(commit.repository, [(commit, question) for question in asked])

    def known(self, commit: Commit, question: Question[T]) -> Output[T] | None:
        """The answer, if it is known."""
        return self._known.get((commit, question))

    def begin(self, asking: _Asking[Any]) -> None:
        """A stage asks."""
        repository = asking.commit.repository
        self._asked.setdefault(repository, Counter())[asking.question] += 1

    def end(self, asking: _Asking[Any]) -> None:
        """A stage asks no longer."""
        repository = asking.commit.repository
        asked = self._asked[repository]
        asked[asking.question] -= 1
        if not asked[asking.question]:
            del asked[asking.question]
        if not asked:
            del self._asked[repository]

    def read_for(self, asking: _Asking[Any]) -> None:
        """Read what a stage asks, with all else that is asked in this step."""
        repository = asking.commit.repository
        waiting = self._waiting.get(repository)
        if waiting is not None:
            waiting.append(asking)
        elif not self._is_closed:
            self._waiting[repository] = [asking]
            token = self.engine.busy_token()
            token.acquire()
            task = asyncio.get_running_loop().create_task(
                self._answer(repository), name=f"git reads {repository}"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: token.release())

    async def _answer(self, repository: Path) -> None:
        await self.engine.between_steps()
        waiting = self._waiting.pop(repository)
        wanted = {(asking.commit, asking.question): None for asking in waiting}
        found = await self._read(repository, list(wanted))
        await self.engine.between_steps()
        for asking in waiting:
            asking.answered(found[asking.commit, asking.question])

    async def _read(
        self, repository: Path, wanted: Sequence[tuple[Commit, Question[Any]]]
    ) -> dict[tuple[Commit, Question[Any]], Output[Any]]:
        found = dict(zip(wanted, await in_thread(self._outputs, repository, wanted), strict=True))
        for key, output in found.items():
            if not (isinstance(output, Failed) and output.kind is FailureKind.INFRA):
                self._known[key] = output
                self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return found

    def _outputs(
        self, repository: Path, wanted: Iterable[tuple[Commit, Question[Any]]]
    ) -> list[Output[Any]]:
        """The answers, by one reader. Called in a thread."""
        try:
            reader = ObjectReader(repository)
        except (UsageError, OSError) as error:
            return [Failed(str(error), kind=FailureKind.INFRA) for _ in wanted]
        self._readers.add(reader)
        try:
            if self._is_closed:
                reader.kill()
            return [_output(reader, commit, question) for commit, question in wanted]
        finally:
            self._readers.discard(reader)
            reader.close()

    async def _aclose(self) -> None:
        """End what is being read. Nobody is told of it any more."""
        self._is_closed = True
        for reader in list(self._readers):
            reader.kill()
        if self._tasks:
            await asyncio.wait(list(self._tasks))


def _output(reader: ObjectReader, commit: Commit, question: Question[T]) -> Output[T]:
    try:
        return Ok(question.read(reader, commit))
    except Exception as error:
        return failed_by(error)


class _Answer(Primitive[T]):
    __slots__ = ("_commit", "_question")

    def __init__(self, question: Question[T], commit: Commit) -> None:
        self._question = question
        self._commit = commit

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[T]:
        contents = runtime.service(ResultCache).engine.service(Contents)
        return _Asking(contents, self._question, self._commit, changed)


class _Asking(Subscription[T]):
    """A stage that asks something of a commit."""

    def __init__(
        self,
        contents: Contents,
        question: Question[T],
        commit: Commit,
        changed: Callable[[], None],
    ) -> None:
        self.question = question
        self.commit = commit
        self._contents = contents
        self._changed = changed
        self._again: Timer | None = None
        self._is_closed = False
        contents.begin(self)
        known = contents.known(commit, question)
        self._output: Output[T] = Active(Activity.RUNNING) if known is None else known
        if known is None:
            contents.read_for(self)

    def answered(self, output: Output[T]) -> None:
        """The answer has come. A question that git could not answer is asked again."""
        if self._is_closed:
            return
        self._output = output
        self._changed()
        if isinstance(output, Failed) and output.kind is FailureKind.INFRA:
            clock = self._contents.engine.clock
            self._again = clock.call_later(AGAIN, lambda: self._contents.read_for(self))

    def read(self) -> tuple[Output[T], Metadata | None]:
        if isinstance(self._output, Active):
            return self._output, Metadata(note=f"git reads {self.commit}")
        return self._output, None

    def close(self) -> None:
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()
        self._contents.end(self)
