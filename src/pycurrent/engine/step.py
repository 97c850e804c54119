"""The report of a step, and the jobs that the pipeline uses then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct

from pycurrent.term import Output, Stage

_log = logging.getLogger(__name__)


class JobHandle(Protocol):
    """A job that the pipeline uses, running or finished, and what can be done about it."""

    @property
    def id(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the stages whose result it has made, or is making. Looks at all stages."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of these stages; the first one's, where they differ."""

    def log_text(self) -> str:
        """All of its log so far, with secrets masked; also while it runs, and after the engine has
        ended.
        """

    # `by` names who asks, `reason` says why; both go to the job's log.

    def rebuild(self, by: str | None = None, reason: str | None = None) -> str:
        """Run it again; gives the id of the new job. While it runs it changes nothing."""

    def cancel(self, reason: str, by: str | None = None) -> None:
        """Cancel it, if it runs."""

    def approve(self, by: str | None = None, reason: str | None = None) -> None:
        """Let it start although its level asks for confirmation."""


class JobUser(Protocol):
    """The part of the engine that knows what a job is for."""

    def handle(self, job_id: str) -> JobHandle:
        """A handle of the job with this id."""


class UsedJobs(Mapping[str, JobHandle]):
    """The jobs that the pipeline uses, by id. A handle is made when somebody asks for it.

    It shows the changes of a step together, at its end.
    """

    def __init__(self) -> None:
        self._users: dict[str, JobUser] = {}
        self.is_changing = False
        """True while a step is at work: its changes are not shown yet."""
        self._changes: dict[str, JobUser | None] = {}

    def __getitem__(self, job_id: str) -> JobHandle:
        return self._users[job_id].handle(job_id)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._users

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    def add(self, job_id: str, user: JobUser) -> None:
        if self.is_changing:
            self._changes[job_id] = user
        else:
            self._users[job_id] = user

    def remove(self, job_id: str) -> None:
        """Twice is fine."""
        if self.is_changing:
            self._changes[job_id] = None
        else:
            self._users.pop(job_id, None)

    def show_changes(self) -> None:
        """Show what the step has changed: it is done."""
        changes, self._changes = self._changes, {}
        for job_id, user in changes.items():
            if user is None:
                self._users.pop(job_id, None)
            else:
                self._users[job_id] = user


class Step(Struct, frozen=True):
    """The report of a step."""

    number: int
    seconds: float
    output: Output[Any]
    changed: tuple[Stage, ...]
    """The stages whose state or metadata has changed."""
    released: tuple[Stage, ...]
    """The stages that nobody needs any more."""


ToldInParts = Callable[[Step], Iterator[None]]
"""A listener that looks at a part of what has changed whenever it is asked to go on."""


class Listeners:
    """The functions that are told of each step, in the order in which they came."""

    def __init__(self) -> None:
        self._told: dict[Callable[[Step], None] | ToldInParts, ToldInParts] = {}

    def add(self, listener: Callable[[Step], None]) -> Callable[[], None]:
        """Call what is returned to have it told no more; twice is fine."""

        def in_one(step: Step) -> Iterator[None]:
            listener(step)
            return iter(())

        return self._add(listener, in_one)

    def add_in_parts(self, listener: ToldInParts) -> Callable[[], None]:
        """The same for one that is told of 100,000 changes in parts, between which other things
        happen: until it has seen the last part the step is unfinished, though its output, counts
        and jobs are there.
        """
        return self._add(listener, listener)

    def _add(
        self, listener: Callable[[Step], None] | ToldInParts, told: ToldInParts
    ) -> Callable[[], None]:
        self._told[listener] = told

        def forget() -> None:
            self._told.pop(listener, None)

        return forget

    def telling(self, step: Step) -> Iterator[None]:
        """Tell them, part by part."""
        for told in list(self._told.values()):
            try:
                yield from told(step)
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException:
                # A listener's error must not stop the engine.
                _log.exception("a listener of the engine failed")
