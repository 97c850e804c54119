"""The jobs of a running engine: which there are, what is known of one, and what can be done."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pycurrent.cache import ResultCache, Verifier
from pycurrent.engine import Asker, DrivenJob, JobState, Level, OpenEngine
from pycurrent.engine.changes import Ids
from pycurrent.explain.history import ALL_USES, HistoryEntry, entry_in
from pycurrent.service.errors import NoSuchJob
from pycurrent.store import BadJobId, JobRecord
from pycurrent.view import JobView, one_by_one, show_job, show_jobs

if TYPE_CHECKING:
    from pycurrent.store.removed import RemovedPart

_AT_ONCE = 20
"""How many jobs are rebuilt before others get a turn."""
_SHOWN_AT_ONCE = 100
"""How many views are made before others get a turn: they take a millisecond or two."""


class Action(Enum):
    """An act on a job."""

    CANCEL = "cancel"
    APPROVE = "approve"
    """Let it start although its level asks for confirmation."""
    REBUILD = "rebuild"
    VERIFY = "verify"
    """Ask the operation whether the result is still there."""


@dataclass(frozen=True, slots=True)
class Done:
    """The act was done."""


@dataclass(frozen=True, slots=True)
class Would:
    """The act would be done, if it were not only asked for its outcome."""

    description: str
    """Of the job."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Another job does the work again."""

    job_id: str


@dataclass(frozen=True, slots=True)
class RebuiltOnceNeeded:
    """The work can't be done now, or nobody needs it: it is done again once it is needed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The act is impossible, for this reason."""

    why: str


Rebuild: TypeAlias = Rebuilding | RebuiltOnceNeeded | Refused


@dataclass(frozen=True, slots=True)
class ActivePage:
    """Some of the jobs that have not ended, the oldest first."""

    jobs: tuple[JobView, ...]
    next: str | None
    """The id after which the next page begins; None on the last one."""
    total: int
    """How many jobs have not ended."""


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything that is known about a job, except its log."""

    entry: HistoryEntry
    description: str
    """Its operation's description of it; the operation and key once nobody needs it."""
    active: JobView | None
    """The running job; None once it has ended."""
    stages: tuple[str, ...]
    """The paths of the stages whose result it made or is making."""
    newer: str | None
    """The job of the same operation and key whose result counts now; None if it is this one."""
    actions: frozenset[Action]
    """The acts that are possible now."""
    removed: tuple[RemovedPart, ...]
    """The parts of it that retention has removed."""


class Jobs:
    """The jobs of an engine. Belongs to the event loop's thread.

    `by` in the commands is who asks, and `reason` why: both go to the audit and the job's log.
    """

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._waiting: dict[str, DrivenJob] = {}
        for job in self._cache.runs.jobs():
            self._noted(job)
        self._cache.runs.on_job(self._noted)

    @property
    def _cache(self) -> ResultCache:
        return self._engine.service(ResultCache)

    @property
    def _verifier(self) -> Verifier:
        return self._engine.service(Verifier)

    def active(self) -> tuple[JobView, ...]:
        """The jobs that have not ended, the oldest first, even if nobody needs them any more."""
        return show_jobs(self._cache.runs.jobs())

    async def page(
        self, *, limit: int, after: str | None = None, among: Collection[str] | None = None
    ) -> ActivePage:
        """At most `limit` of them, those that follow the job with the id `after`; only those
        `among` these ids, if they are given.

        That job may have ended since: then the page begins with the first one that is not older,
        so that a job may be seen twice, but none is missed. Raises `NoSuchJob` if there never was
        such a job.

        Others get a turn now and then: a job may have changed since its view was made.
        """
        runs = self._cache.runs
        # The first page of all of them is what most ask for: it needs no list of the rest.
        is_start = after is None and among is None
        ids = runs.job_ids(limit if is_start else None)
        if among is not None:
            ids = [id for id in ids if id in among]
        total = runs.job_count if is_start else len(ids)
        first = 0 if after is None else self._first_after(ids, after)
        shown = ids[first : first + limit]
        more = shown and first + len(shown) < total
        jobs = (job for id in shown if (job := runs.job(id)) is not None)
        views: list[JobView] = []
        for number, view in enumerate(one_by_one(jobs), 1):
            if view.state is not JobState.ENDED:
                views.append(view)
            if number % _SHOWN_AT_ONCE == 0:
                await asyncio.sleep(0)
        return ActivePage(tuple(views), shown[-1] if more else None, total)

    def _first_after(self, ids: list[str], after: str) -> int:
        if after in ids:
            return ids.index(after) + 1
        return bisect_left(ids, self._record(after).created, key=self._created)

    def _created(self, job_id: str) -> datetime:
        job = self._cache.runs.job(job_id)
        assert job is not None
        return job.created

    @property
    def waiting(self) -> Mapping[str, DrivenJob]:
        """The jobs that wait for confirmation, by their ids: first what has waited longest."""
        return self._waiting

    def _noted(self, job: DrivenJob) -> None:
        if job.state is JobState.WAITING_FOR_CONFIRMATION:
            self._waiting[job.id] = job
        else:
            self._waiting.pop(job.id, None)

    def description(self, job_id: str) -> str:
        """The description of a job that has not ended; of any other one its id."""
        job = self._cache.runs.job(job_id)
        return job_id if job is None else job.description

    def level(self, job_id: str) -> Level | None:
        """The level of a job; None if it has not said it yet. Raises `NoSuchJob`."""
        job = self._cache.runs.job(job_id)
        if job is not None:
            return job.level
        level = self._record(job_id).level
        return None if level is None else Level.parse(level)

    def is_active(self, job_id: str) -> bool:
        """True if the job has not ended."""
        return self._cache.runs.job(job_id) is not None

    def detail(self, job_id: str) -> JobDetail:
        """Everything about one job. Raises `NoSuchJob`."""
        record = self._record(job_id)
        job = self._cache.runs.job(job_id)
        return JobDetail(
            entry=entry_in(self._engine.store, record, uses=ALL_USES),
            description=self._title(job_id),
            active=None if job is None else show_job(job),
            stages=self._stages(job_id),
            newer=self._newer(record),
            actions=self._actions(job_id, job),
            removed=tuple(self._engine.store.removed(job_id)),
        )

    def _title(self, job_id: str) -> str:
        """The operation's description of a job; the operation and key once nobody needs it.

        Raises `NoSuchJob`.
        """
        job = self._cache.runs.job(job_id)
        described = job or self._engine.jobs.get(job_id)
        if described is not None and described.description:
            return described.description
        record = self._record(job_id)
        return f"{record.op} {record.key}".strip()

    def _entry(self, job_id: str) -> HistoryEntry:
        return entry_in(self._engine.store, self._record(job_id))

    def _record(self, job_id: str) -> JobRecord:
        record = self._engine.store.job(job_id)
        if record is None:
            raise NoSuchJob(job_id)
        return record

    def _newer(self, record: JobRecord) -> str | None:
        found = self._cache.last_job(record.op, record.key_digest)
        return None if found == record.job_id else found

    def _stages(self, job_id: str) -> tuple[str, ...]:
        self._engine.finish_step()
        return tuple(map(str, self._engine.live.stages_of(job_id)))

    # Commands

    def cancel(self, job_id: str, *, by: Asker | str, reason: str | None = None) -> Done | Refused:
        """Cancel a job: it fails, and is not run again by itself. Raises `NoSuchJob`."""
        job = self._to_cancel(job_id)
        if isinstance(job, Refused):
            return job
        self._cache.acts.cancel(job, by=by, reason=reason)
        return Done()

    def _to_cancel(self, job_id: str) -> DrivenJob | Refused:
        job = self._cache.runs.job(job_id)
        if job is None:
            return _ended(self._entry(job_id))
        if job.cancelled is not None:
            return Refused(f"it was cancelled already: {job.cancelled}")
        return job

    def approve(self, job_id: str, *, by: Asker | str, reason: str | None = None) -> Done | Refused:
        """Let a job start although its level asks for confirmation. Raises `NoSuchJob`."""
        job = self._cache.runs.job(job_id)
        if job is None:
            return _ended(self._entry(job_id))
        if job.state is not JobState.WAITING_FOR_CONFIRMATION:
            return Refused(f"it does not wait for confirmation: it is {job.state.value}")
        if (unapproved := job.unapproved) is not None:
            return Refused(
                f"it is to run {unapproved}: approve that commit, {unapproved.commit}, instead"
            )
        self._cache.acts.approve(job, by=by, reason=reason)
        return Done()

    def rebuild(
        self,
        job_id: str,
        *,
        by: Asker | str,
        reason: str | None = None,
        change: Ids | None = None,
    ) -> Rebuild:
        """Do the work of an ended job again. Raises `NoSuchJob`.

        The job need not be the last one for its key. `change` is that of many jobs, if this is one
        of them.
        """
        record = self._to_rebuild(job_id)
        if isinstance(record, Refused):
            return record
        run = self._cache.acts.rebuild(
            record.op, record.key_digest, job_id=job_id, by=by, reason=reason, change=change
        )
        return RebuiltOnceNeeded() if run is None else Rebuilding(run.job.id)

    def verify(
        self, subject: str, *, by: Asker | str, reason: str | None = None
    ) -> tuple[str, ...]:
        """Ask whether the result of a stage, of a job, or those of an operation are still there;
        gives the ids of the jobs that have made them. Raises `NothingToVerify`, or `UsageError`
        where the operation can't tell.
        """
        return self._verifier.verify(subject, by=by, reason=reason)

    def _actions(self, job_id: str, job: DrivenJob | None) -> frozenset[Action]:
        can_verify = job is None and self._verifier.can_verify(job_id)
        return _actions(job) | ({Action.VERIFY} if can_verify else frozenset())

    def _to_rebuild(self, job_id: str) -> JobRecord | Refused:
        record = self._record(job_id)
        running = self._cache.job_at_work(record.op, record.key_digest)
        if running is None:
            return record
        what = "it" if running.id == job_id else f"the same work, job {running.id},"
        return Refused(f"{what} has not ended")

    # Commands on many jobs, in their order. A job that does not exist is refused.

    async def cancel_many(
        self, job_ids: Iterable[str], *, by: Asker | str, reason: str | None = None
    ) -> dict[str, Done | Refused]:
        """Cancel many jobs."""
        return await _each(job_ids, lambda job_id: self.cancel(job_id, by=by, reason=reason))

    async def rebuild_many(
        self, job_ids: Iterable[str], *, by: Asker | str, reason: str | None = None
    ) -> dict[str, Rebuild]:
        """Rebuild many jobs: one change, from which all follow."""
        changes: list[Ids] = []

        def rebuild(job_id: str) -> Rebuild:
            if not changes:
                changes.append(self._cache.acts.asked_for_rebuild(by=by, reason=reason))
            return self.rebuild(job_id, by=by, reason=reason, change=changes[0])

        return await _each(job_ids, rebuild)

    async def would(self, what: Action, job_ids: Iterable[str]) -> dict[str, Would | Refused]:
        """The outcomes that `CANCEL` or `REBUILD` would have. Nothing is done."""

        def ask(job_id: str) -> Would | Refused:
            is_cancel = what is Action.CANCEL
            found = self._to_cancel(job_id) if is_cancel else self._to_rebuild(job_id)
            return found if isinstance(found, Refused) else Would(self._title(job_id))

        return await _each(job_ids, ask)


T = TypeVar("T")


async def _each(job_ids: Iterable[str], act: Callable[[str], T]) -> dict[str, T | Refused]:
    """Do it to each job, and give the others a turn now and then."""
    outcomes: dict[str, T | Refused] = {}
    for number, job_id in enumerate(dict.fromkeys(job_ids), 1):
        try:
            outcomes[job_id] = act(job_id)
        except (NoSuchJob, BadJobId) as error:
            outcomes[job_id] = Refused(str(error))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return outcomes


def _actions(job: DrivenJob | None) -> frozenset[Action]:
    match job:
        case None:
            return frozenset({Action.REBUILD})
        case DrivenJob(cancelled=str()):
            return frozenset()
        case DrivenJob(state=JobState.WAITING_FOR_CONFIRMATION, unapproved=None):
            return frozenset({Action.APPROVE, Action.CANCEL})
        case DrivenJob():
            return frozenset({Action.CANCEL})


def _ended(entry: HistoryEntry) -> Refused:
    return Refused(f"it has ended: {entry.end_word}")
