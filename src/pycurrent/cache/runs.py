"""The runs at work: begun once they are recorded, driven by tasks, and ended.

A run is launched within a step. After the commit that records it, its job is *set off*: a job that
may begin at once gets a task, and one that has to wait gets it when its wait is over. So a run that
was told to end before its work began ends without a task, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from pycurrent.cache.demands import NO_DEMANDS, Demands, Retirement
from pycurrent.cache.instance import START, Instance
from pycurrent.cache.operation_type import Key
from pycurrent.cache.pauses import Pauses
from pycurrent.cache.states import Abandoned, Run, end_of
from pycurrent.cache.stopping import see_off
from pycurrent.engine.job_state import JobState
from pycurrent.engine.limits import Limits
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.tasks import leave_alone
from pycurrent.store import JobEnd
from pycurrent.term import Failed, Ok

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.job_run import Explain, Explained
    from pycurrent.engine.pool import Pool

_Limited: TypeAlias = tuple[Instance, Run, Limits]
"""A run that starts without a task that waits for that, within these limits."""
JobsEnded: TypeAlias = "Callable[[Sequence[tuple[DrivenJob, JobEnd]]], None]"

AT_ONCE = 600
"""How many runs that have not begun are given up before the loop gets a turn, or a third as many
started: that takes some 10 to 20 ms.
"""
TOGETHER = 50
"""How many instances are moved on at a time."""

_log = logging.getLogger(__name__)


class Runs:
    """The runs of one engine that have not ended."""

    def __init__(self, engine: OpenEngine, pauses: Pauses) -> None:
        self._engine = engine
        self._pauses = pauses
        self._making: dict[str, Instance] = {}
        """By the ids of the jobs that have not ended, the oldest first."""
        self._to_launch: list[tuple[Instance, Run]] = []
        self._tasks: dict[asyncio.Task[None], tuple[Instance, Run]] = {}
        self._context = Context()
        """The context of a step, in which the work of runs begins."""
        self._is_closing = False
        self._leaves = False
        self._journals: list[str] = []
        """The ids of durable jobs that have ended: their journals go once that is recorded."""
        self._given_up: list[tuple[Instance, Run]] = []
        """Told to end while they waited, and about to."""
        self._end_together = False
        self._told_of_ends: list[JobsEnded] = []
        self._told_of_jobs: list[Callable[[DrivenJob], None]] = []
        self._explain: Explain = _as_it_is
        self._to_look_at: deque[str] = deque()
        """The ids of jobs that may be paused now, or not any more."""
        self._is_looking = False
        self._looking = engine.busy_token()
        engine.host.paused.listen(lambda: self.look_again(self._making))
        engine.after_commit(self._launch)
        engine.after_commit(self._remove_journals)
        engine.on_stop(self.aclose)
        engine.quiescence.add_source(self._is_pending)

    def __iter__(self) -> Iterator[Run]:
        for instance in self._making.values():
            if instance.run is not None:
                yield instance.run

    def jobs(self) -> Iterator[DrivenJob]:
        """The jobs that have not ended."""
        return (run.job for run in self)

    def job(self, job_id: str) -> DrivenJob | None:
        """The job with this id, until it has ended."""
        instance = self._making.get(job_id)
        return None if instance is None or instance.run is None else instance.run.job

    def instance(self, job_id: str) -> Instance | None:
        """The instance for which the job with this id works, until those are told that it ends who
        asked for that.
        """
        return self._making.get(job_id)

    def users(self, job_id: str) -> Demands:
        """The demands of those who wait for the job with this id; none once it has ended."""
        instance = self._making.get(job_id)
        return NO_DEMANDS if instance is None else instance.users

    def job_ids(self, limit: int | None = None) -> list[str]:
        """The ids of the jobs that have not ended, the oldest first; of the first `limit` only."""
        return list(islice(self._making, limit))

    @property
    def job_count(self) -> int:
        """The number of jobs that have not ended."""
        return len(self._making)

    def on_ended(self, told: JobsEnded) -> None:
        """Have `told(jobs)` called with jobs that have ended and how, once that is recorded: one,
        or hundreds that had not begun.
        """
        self._told_of_ends.append(told)

    def on_job(self, told: Callable[[DrivenJob], None]) -> None:
        """Have `told(job)` called for each job that is new, has another state, or has ended.

        Called often, and within steps: `told` must be quick, and must not raise.
        """
        self._told_of_jobs.append(told)

    def explain_by(self, explain: Explain) -> None:
        """Have failures explained by `explain`, awaited within the job, instead of by nothing."""
        self._explain = explain

    def _is_pending(self) -> bool:
        """True if some run goes on without help from outside."""
        # As a rule some job runs; whether one in a queue is stuck takes longer to find out.
        return (
            any(run.job.state is JobState.RUNNING for run in self)
            or any(not run.job.waits_for_person for run in self._launched())
            or (self._engine.releases_itself and bool(self._making))
            or self._pauses.are_hopeful
        )

    def _launched(self) -> Iterator[Run]:
        """The runs that have begun, and not ended. Between steps the others are those that can't
        be recorded now.
        """
        waiting = {run for _, run in self._to_launch}
        return (run for run in self if run not in waiting)

    def job_changed(self, job: DrivenJob) -> None:
        """The job has another state, or comes to its end."""
        for told in self._told_of_jobs:
            told(job)

    # From launch to end

    def launch(self, instance: Instance, run: Run) -> None:
        """Have the run begin once it is recorded."""
        self._making[run.job.id] = instance
        self._to_launch.append((instance, run))
        self.job_changed(run.job)
        self._engine.request_step()

    def _launch(self) -> None:
        launching, self._to_launch = self._to_launch, []
        if not self._is_closing:
            # A run that somebody has asked for while the commit was at work is in the next one.
            is_recorded = self._engine.store.is_recorded
            self._to_launch = [each for each in launching if not is_recorded(each[1].job.id)]
            if self._to_launch:
                launching = [each for each in launching if is_recorded(each[1].job.id)]
        if launching:
            self._engine.state.mark_run()
        self._context = copy_context()
        taken: Counter[Pool] = Counter()
        waiting: list[_Limited] = []
        for instance, run in launching:
            limits = self._limits(instance, run)
            if limits is not None and not self._may_begin_at_once(limits, taken, instance.key):
                # In the next turn of the loop, as tasks begin: among those that are launched
                # together nobody comes first who was launched last.
                if not waiting:
                    self._engine.loop.call_soon(self._set_off_in_turn, waiting)
                waiting.append((instance, run, limits))
            else:
                waiting = []
                self._begin(instance, run)

    def _set_off_in_turn(self, waiting: Iterable[_Limited]) -> None:
        for instance, run, limits in waiting:
            self._set_off(instance, run, limits)

    def _may_begin_at_once(self, limits: Limits, taken: Counter[Pool], key: Key) -> bool:
        """True if a run has nothing to wait for, as far as is known; `taken` counts the resources
        for those that are launched with it.
        """
        pool = limits.pool
        if key.source is not None:
            return False
        if not self._engine.config.allows(limits.level) or self._engine.host.paused.is_any:
            return False
        if pool is None:
            return True
        entry = pool.entry
        if entry is None:
            return True
        taken[entry] += 1
        return taken[entry] <= entry.capacity - entry.used

    def _set_off(self, instance: Instance, run: Run, limits: Limits) -> None:
        """Start a run without a task that waits for that."""
        if run.job.stopped is not None and run.job.holds_nothing:
            self._end_unbegun([(instance, run)], is_told=True)
        elif run.job.stopped is not None:
            self.waited(instance, run)
        elif run.job.set_off(limits):
            self._begin(instance, run)

    def look_again(self, job_ids: Iterable[str]) -> None:
        """Have jobs look whether they are paused, by and by, so that the loop goes on meanwhile."""
        if not self._is_looking:
            self._is_looking = True
            self._looking.acquire()
            self._engine.loop.call_soon(self._look_at_some)
        self._to_look_at.extend(job_ids)

    def _look_at_some(self) -> None:
        if not self._to_look_at:
            # The jobs of the last turn have seen which pauses there are.
            self._is_looking = False
            self._looking.release()
            return
        for _ in range(min(AT_ONCE // START, len(self._to_look_at))):
            job = self.job(self._to_look_at.popleft())
            if job is not None:
                job.look_again()
        self._engine.loop.call_soon(self._look_at_some)

    def _limits(self, instance: Instance, run: Run) -> Limits | None:
        """The limits within which a run can be started without a task that waits for that."""
        if self._engine.leftovers:
            return None
        try:
            limits = run.operation.started_with(instance.key.value)
        except Exception:
            return None  # Raised again in the job, whose failure it is.
        if limits is None or (limits.pool is not None and limits.pool.entry is None):
            return None
        return limits

    def given_up(self, instance: Instance, run: Run) -> None:
        """A job that was set off was told to end while it waited."""
        self._given_up.append((instance, run))
        if not self._end_together:
            self._end_given_up()

    @contextmanager
    def ended_together(self) -> Iterator[None]:
        """Have the jobs that are given up in the block end with it, in a fraction of the time that
        they take one by one.
        """
        self._end_together = True
        try:
            yield
        finally:
            self._end_together = False
            self._end_given_up()

    def _end_given_up(self) -> None:
        given_up, self._given_up = self._given_up, []
        if given_up:
            self._end_unbegun(given_up, is_told=False)

    def _end_unbegun(self, runs: Sequence[tuple[Instance, Run]], *, is_told: bool) -> None:
        from pycurrent.engine.job_run import end_unbegun

        now = self._engine.job_logs.stamp()
        outcomes = end_unbegun([run.job for _, run in runs], now, is_told=is_told)
        self._engine.when_step_is_done(partial(self._end, runs, outcomes))

    def waited(self, instance: Instance, run: Run) -> None:
        """A job that was set off waits no longer: its work may begin, or it was told to end."""
        if self._is_closing:
            instance.abandon(run, Abandoned.STOPPING)
        self._begin(instance, run)

    def _begin(self, instance: Instance, run: Run) -> None:
        """Have a task do the work of a run."""
        work = self._drive(instance, run)
        # So that others don't see a change that one job makes to its context.
        context = self._context.copy()
        task = self._engine.loop.create_task(work, name=run.job.id, context=context)
        self._tasks[task] = instance, run
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._engine.crash(error)

    async def _drive(self, instance: Instance, run: Run) -> None:
        """One run, from its first line to its record."""
        from pycurrent.engine.job_run import run_job  # where all is known, nothing runs

        op_type, job = instance.op_type, run.job

        async def work() -> tuple[Any, str]:
            if self._engine.leftovers:
                await self._engine.leftovers.end_of(
                    op_type.id, instance.key.digest, job.note, job.waiting_for
                )
            limits = None
            if not (job.has_begun or job.is_starting):
                limits = run.operation.started_with(instance.key.value)
            key, value = op_type.given_key(instance.key), op_type.given_value(run.target)
            if job.is_starting:
                await job.finish_start()
            elif limits is not None:
                await limits.start(job)
            if job.goes_on:
                await job.commands.begin()
            if isinstance(run.wanted_by, Retirement):
                await run.wanted_by.carry_out(op_type, job, key)
                return None, "null"
            try:
                outcome = await run.operation.work(job, key, value)
            finally:
                if job.goes_on:
                    job.commands.check_replayed()
            # Within the job, so that a value that can't be stored is seen in its log.
            return op_type.taken(outcome)

        outcome = await run_job(job, work, self._explain)
        # Without this task: where thousands of short jobs run, most end in the middle of a step.
        self._engine.when_step_is_done(partial(self._end, [(instance, run)], [outcome]))

    def _end(
        self,
        runs: Sequence[tuple[Instance, Run]],
        outcomes: Sequence[Ok[tuple[Any, str]] | Failed],
    ) -> None:
        """Jobs have ended: record how, and say so."""
        now = self._engine.clock.now()
        ended = []
        for (instance, run), outcome in zip(runs, outcomes, strict=True):
            job = run.job
            if job.has_journal and not self._engine.fence(job, instance.key.digest):
                self._journals.append(job.id)
            del self._making[job.id]
            if self._told_of_jobs:
                self.job_changed(job)
            end = end_of(run, outcome)
            if instance.finish(run, end, outcome, now):
                ended.append((job, end))
        if ended:
            self._tell_of_ends(ended)

    def _remove_journals(self) -> None:
        """Remove what nobody will go on with any more, after a commit."""
        store, journals = self._engine.store, self._journals
        self._journals = [job_id for job_id in journals if not store.is_written(job_id)]
        for job_id in set(journals).difference(self._journals):
            self._engine.remove_run(self._engine.state.runs / job_id)

    def _tell_of_ends(self, ended: Sequence[tuple[DrivenJob, JobEnd]]) -> None:
        for told in self._told_of_ends:
            try:
                told(ended)
            except Exception:
                # A listener's error must not stop the engine.
                job, _ = ended[0]
                _log.exception("%r failed to be told of the end of job %s", told, job.id)

    async def leave(self) -> int:
        """As `aclose`, but for the durable jobs that have begun: they stay at work for the next
        engine. Gives their number.
        """
        self._leaves = True
        await self.aclose()
        return sum(self._stays(run) for run in self)

    def _stays(self, run: Run) -> bool:
        """True if the job stays at work when this engine ends."""
        return self._leaves and run.job.has_journal and run.job.stopped is None

    async def aclose(self) -> None:
        """Cancel what runs. Its work is run again by the next engine that needs it.

        A job that does not end is left alone, and is in `OpenEngine.left_alone`.
        """
        self._is_closing = True
        self._launch()
        self._engine.store.gathers_ends = True
        # Waiting jobs came last. They go first, so nobody takes the places that the others leave.
        ending = reversed(list(self._making.values()))
        while some := list(islice(ending, AT_ONCE)):
            with self.ended_together():
                for instance in some:
                    run = instance.run
                    # A job that a person has cancelled stays so.
                    if run is not None and run.job.cancelled is None and not self._stays(run):
                        instance.abandon(run, Abandoned.STOPPING)
            if len(some) == AT_ONCE:
                self._engine.store.write_ends()
                await asyncio.sleep(0)
        await asyncio.sleep(0)  # Jobs that were launched just now end without a task.
        self._engine.store.gathers_ends = False
        await self._engine.commits.written()
        jobs = {task: run.job for task, (_, run) in self._tasks.items() if not self._stays(run)}
        for task in await see_off(jobs, self._engine.stop_grace):
            instance, run = self._tasks.pop(task)
            task.remove_done_callback(self._ended)
            leave_alone(task)
            self._engine.left_alone.append(run.job.id)
            assert run.job.stopped is not None
            outcome = run.job.stopped.outcome
            instance.finish(run, end_of(run, outcome), outcome, self._engine.clock.now())
        if self._journals:
            await self._engine.commits.written()
            self._remove_journals()


async def _as_it_is(job: DrivenJob, failed: Failed) -> Explained:
    from pycurrent.engine.job_run import Explained

    return Explained(failed.kind)
