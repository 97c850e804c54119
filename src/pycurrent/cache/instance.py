"""What the engine knows of one operation for one key.

Users (the components that need it) each *demand* that the key be at a target: a value, for
publishers, or nothing but to be made, for builders. The instance is in one of four states:

    Unknown ──start──► Making ──finish──► Known
       ▲                 │
       └──── Pausing ◄───┘

- Unknown: nothing is known, or what is known must be made again.
- Pausing: the machine has failed the last run (no descriptor, space, memory or process was left),
  which says nothing about the work. It is run again after a pause, which gets longer each time.
- Making: a run is at work on a target, or waits for its beginning: for confirmation, or in the
  queue of a pool. The only way out is the end of that run, however much one would like it to end
  sooner; it may have been told that it is *abandoned*.
- Known: the last run has an outcome, a value or a failure, for a target.

`update` moves an instance on, after each step in which something about it has changed; it is
the only place where runs are started or abandoned:

| state   | nobody wants it             | the target is wanted | another target is wanted        |
|---------|-----------------------------|----------------------|---------------------------------|
| Unknown | forgotten                   | start                | start                           |
| Pausing | forgotten                   | nothing              | nothing                         |
| Known   | forgotten                   | nothing              | start                           |
| Making  | abandon, with `auto_cancel` | nothing              | abandon, with `auto_cancel`     |
|         | or if it has not begun      |                      | or if it has not begun          |

Only work that has begun is protected from being abandoned. The run that follows one which had not
begun takes its place in the queues, be it for another target of this key, or for another key that
the same component wants instead; no approval of the old one counts for it.

When a run finishes:

- abandoned before its work has begun: what was known before is known still; else Unknown.
- abandoned later: its result is not recorded; Unknown.
- succeeded: recorded; Known.
- failed by a shortage of the machine: recorded as interrupted; Pausing.
- failed by something of the machine that is missing: recorded as interrupted; Known, until it is
  forgotten, as the next engine, or a rebuild, is to try again.
- failed, and its target is still wanted or nobody wants any: recorded; Known.
- failed, and another target is wanted: recorded in the history, but dropped; Unknown.

A rebuild moves Known to Unknown, and so does the expiry of a schedule; but then the outcome is
*latched*: still reported, to those who want the target that it is for, while the next run is at
work. An operation that is `latched` keeps its outcome in the same way when its target changes,
and then everybody sees it.

Two users that want different targets are in conflict: both are told, and nothing is started.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pycurrent.cache.expiry import Expiry, expires
from pycurrent.cache.handle import Handle
from pycurrent.cache.job import new_job
from pycurrent.cache.operation_type import Key, OperationType
from pycurrent.cache.records import finish_job, insert_job, recorded
from pycurrent.cache.report import reported, stands_in
from pycurrent.cache.states import (
    Abandoned,
    Demand,
    Known,
    Making,
    Pausing,
    Result,
    Run,
    State,
    Unknown,
    pause_before,
)
from pycurrent.engine.driven_job import DrivenJob
from pycurrent.engine.machine import Blame, blame
from pycurrent.engine.pool import Priority, Tickets
from pycurrent.store import BuildRecord, JobEnd
from pycurrent.term import Failed, FailureKind, Metadata, Ok, Output

if TYPE_CHECKING:
    from pycurrent.cache.cache import Cache

MOST_ATTEMPTS = 6
"""How often work that the machine fails is tried while somebody waits for the end of the run: in
half a minute.
"""

_log = logging.getLogger(__name__)


class Instance:
    """One operation for one key."""

    __slots__ = (
        "_expiry",
        "_tickets",
        "build",
        "cache",
        "conflict",
        "description",
        "job_id",
        "key",
        "op_type",
        "state",
        "users",
    )

    def __init__(self, cache: Cache, op_type: OperationType, key: Key) -> None:
        self.cache = cache
        self.op_type = op_type
        self.key = key
        self.users: dict[object, Demand] = {}
        self.state: State = Unknown()
        self.build = 0
        self.job_id: str | None = None
        self.description = ""
        self.conflict: Failed | None = None
        self._expiry: Expiry | None = None
        self._tickets: Tickets | None = None
        """Those of a run that was given up before it had begun, for the next one."""

    @property
    def successor(self) -> Instance:
        """The instance of this key now: another one, if this was forgotten and is known again."""
        return self.cache.instances.get((self.op_type.id, self.key.digest), self)

    def load(self, record: BuildRecord | None, *, sure: bool) -> None:
        """Start from the last recorded result. Not `sure`: a later run began and left none, so
        what the key is set to is not known; but its last outcome may still be latched.
        """
        if record is None:
            return
        self.build = record.build + 1
        if record.rebuild or not (sure or self.op_type.latched):
            return
        result = recorded(self.op_type, record)
        if result is not None:
            self.state = Known(result) if sure else Unknown(result)
            self.job_id = record.job_id

    # Users

    def join(self, user: object, demand: Demand) -> None:
        """Somebody needs it. Within a step, so nothing is started before `update`."""
        self.users[user] = demand
        if not self.description:
            self.description = demand.title
        if self.job_id is not None and len(self.users) == 1:
            self.cache.engine.use_job(Handle(self.job_id, self))
        match self.state:
            case Known(result) if result.target == demand.target.digest and demand.schedule is None:
                pass
            case _:
                self.cache.touch(self)

    def leave(self, user: object) -> None:
        """Somebody no longer needs it."""
        demand = self.users.pop(user, None)
        run = self.run
        if demand is not None and not self.users and run is not None and not run.has_begun:
            self.cache.left_places[demand.changed] = run.job.tickets
        self.cache.touch(self)

    @property
    def demand(self) -> Demand | None:
        """What is wanted, by the latest user."""
        return next(reversed(self.users.values()), None)

    @property
    def run(self) -> Run | None:
        return self.state.run if isinstance(self.state, Making) else None

    @property
    def is_hopeful(self) -> bool:
        """Whether it pauses, and the machine has not failed it so often that nothing is left to
        hope for: then it is still tried again, but nobody waits for that.
        """
        return isinstance(self.state, Pausing) and self.state.attempt <= MOST_ATTEMPTS

    def report(self, demand: Demand) -> tuple[Output[Any], Metadata | None]:
        """What a user sees."""
        if self.conflict is not None:
            return self.conflict, Metadata(self.job_id)
        return reported(self.op_type, self.state, demand.target, self.job_id)

    def notify(self) -> None:
        for demand in self.users.values():
            demand.changed()

    def _check_conflict(self) -> None:
        """Look for users that want different targets. Not before the end of a step, as in the
        middle of one some users still want the last target.
        """
        conflict: Failed | None = None
        targets = {demand.target.digest: demand for demand in self.users.values()}
        if len(targets) > 1:
            one, other = sorted(targets.values(), key=lambda demand: str(demand.target.digest))[:2]
            conflict = Failed(
                f"{self.op_type.id} {self.key.text} is set to two values at once:"
                f" {one.target.text} and {other.target.text}"
            )
        if conflict != self.conflict:
            self.conflict = conflict
            self.notify()

    # Moving on

    def update(self) -> None:
        """Do what the state and the users ask for: see the table above. After a step."""
        demand = self.demand
        if demand is None:
            self._update_unneeded()
            return
        if self.op_type.has_value:
            self._check_conflict()
        if self.conflict is not None:
            self._cancel_expiry()
            return
        match self.state:
            case Known(result) if result.target == demand.target.digest:
                self._tickets = None
                self._set_expiry(result)
            case Known(result):
                self.start(demand, result, before=result)
            case Unknown(latched, attempt):
                self.start(demand, latched, attempt)
            case Pausing():
                pass
            case Making(run) if run.target.digest != demand.target.digest:
                self._give_up(run)
            case Making():
                pass

    def _update_unneeded(self) -> None:
        self._cancel_expiry()
        self.conflict = None
        match self.state:
            case Making(run):
                self._give_up(run)
            case _:
                self._end_pause()
                self.cache.forget(self)

    def _give_up(self, run: Run) -> None:
        """What the run is for is not wanted any more."""
        if self.op_type.auto_cancel or not run.has_begun:
            self.abandon(run, Abandoned.UNWANTED)

    def start(
        self,
        demand: Demand,
        latched: Result | None,
        attempt: int = 1,
        *,
        before: Result | None = None,
    ) -> None:
        """Begin a run. It is recorded with the step, and its first line runs after that."""
        self._cancel_expiry()
        self.description = demand.title
        if latched is not None and not stands_in(self.op_type, latched, demand.target):
            latched = None
        try:
            job = new_job(
                self.cache.engine,
                op=self.op_type.id,
                description=self.description,
                priority=Priority.HIGH if latched is None else Priority.LOW,
                changed=self._job_changed,
                tickets=self._inherited(),
            )
        except OSError as error:
            self._never_begun(demand, error, latched, attempt)
            return
        insert_job(self.cache.engine.store, job, self.op_type, self.key, demand.target, self.build)
        self._use_job(job.id)
        run = Run(job, demand.work, demand.target, attempt)
        self.state = Making(run, latched, before)
        self.cache.launch(self, run)
        self.notify()

    def _inherited(self) -> Tickets | None:
        """The places in queues that a run which is given up leaves to the next one."""
        tickets, self._tickets = self._tickets, None
        if tickets is not None:
            return tickets
        left = self.cache.left_places
        if not left:
            return None
        return next((left[w.changed] for w in self.users.values() if w.changed in left), None)

    def _never_begun(
        self, demand: Demand, error: OSError, latched: Result | None, attempt: int
    ) -> None:
        """There is no run without a log. The failure is not recorded: it is of this moment."""
        failure = Failed(f"the log can't be made: {error.strerror}", kind=FailureKind.INFRA)
        if blame(error) is Blame.SHORTAGE:
            self._pause(failure.message, latched, attempt + 1)
        else:
            now = self.cache.engine.clock.now()
            self.state = Known(Result(failure, demand.target.digest, now))
            self.cache.touch(self)
        self.notify()

    def _pause(self, reason: str, latched: Result | None, attempt: int) -> None:
        """Wait before the next run, as the machine has failed the last one."""
        clock = self.cache.engine.clock
        pause = pause_before(attempt)
        timer = clock.call_later(pause, self._pause_over)
        self.state = Pausing(clock.now() + pause, timer, reason, latched, attempt)
        self.cache.pausing[self] = None
        _log.warning("%s %s is %s", self.op_type.id, self.key.text, self.state.note)

    def _pause_over(self) -> None:
        if isinstance(self.state, Pausing):
            latched, attempt = self.state.latched, self.state.attempt
            self._end_pause()
            self.state = Unknown(latched, attempt)
            self.cache.touch(self)

    def _end_pause(self) -> None:
        """It is not waited any longer, if it was."""
        if isinstance(self.state, Pausing):
            self.state.timer.cancel()
            del self.cache.pausing[self]

    def _use_job(self, job_id: str) -> None:
        engine = self.cache.engine
        if self.job_id is not None:
            engine.drop_job(self.job_id)
        self.job_id = job_id
        engine.use_job(Handle(job_id, self))

    def _job_changed(self, job: DrivenJob) -> None:
        if job.level is not None:
            self.cache.engine.store.start_job(job.id, started=job.started, level=str(job.level))
        self.notify()
        self.cache.engine.request_step()

    def abandon(self, run: Run, why: Abandoned) -> None:
        """Tell a run that its result does not count. Twice is fine."""
        if run.abandoned is None:
            run.abandoned = why
            run.job.cancel(
                "it is no longer needed" if why is Abandoned.UNWANTED else f"{why.value}"
            )

    def finish(self, run: Run, end: JobEnd, outcome: Ok[tuple[Any, str]] | Failed) -> None:
        """A run has ended; the value of one that succeeded comes with its text."""
        assert isinstance(self.state, Making)
        assert self.state.run is run
        engine = self.cache.engine
        now = engine.clock.now()
        latched = self.state.latched
        match end:
            case JobEnd.SUPERSEDED:
                engine.store.finish_job(run.job.id, end, finished=now, started=run.job.started)
                before = self.state.before
                if run.has_begun:
                    self.state = Unknown(latched)
                else:
                    self._tickets = run.job.tickets
                    self.state = Unknown(latched) if before is None else Known(before)
            case JobEnd.INTERRUPTED:
                engine.store.finish_job(run.job.id, end)
                self._interrupted(run, outcome, now, latched)
            case JobEnd.OK | JobEnd.FAILED | JobEnd.CANCELLED | JobEnd.TIMED_OUT:
                result = finish_job(engine.store, run, end, outcome, now)
                self._finished(run, Result(result, run.target.digest, now), latched)
        self.cache.touch(self)
        self.notify()

    def _interrupted(
        self,
        run: Run,
        outcome: Ok[tuple[Any, str]] | Failed,
        now: datetime,
        latched: Result | None,
    ) -> None:
        """The engine is stopping, or the machine has failed the run."""
        if run.abandoned is not None or not isinstance(outcome, Failed):
            self.state = Unknown(latched)
        elif run.job.blame is Blame.SHORTAGE:
            self._pause(outcome.message, latched, run.attempt + 1)
        else:
            self.state = Known(Result(outcome, run.target.digest, now))

    def _finished(self, run: Run, result: Result, latched: Result | None) -> None:
        """The run has left a result."""
        self.build += 1
        targets = [demand.target.digest for demand in self.users.values()]
        stale = bool(targets) and run.target.digest not in targets
        if stale and isinstance(result.outcome, Failed):
            self.state = Unknown(latched)
        else:
            self.state = Known(result)

    # Making it again

    def rebuild(self) -> None:
        """Make it again, if it isn't being made: at once, unless nobody needs it or those who
        do are in conflict.
        """
        if isinstance(self.state, Making):
            return
        self.cache.engine.store.set_rebuild(self.op_type.id, self.key.digest)
        self._end_pause()
        self.state = Unknown()
        demand = self.demand
        if demand is not None and self.conflict is None:
            self.start(demand, None)
        else:
            self._cancel_expiry()

    def _set_expiry(self, result: Result) -> None:
        """Have the outcome expire when the shortest schedule says so."""
        clock = self.cache.engine.clock
        now = clock.now()
        limits = [
            demand.valid_for for demand in self.users.values() if demand.valid_for is not None
        ]
        if limits and result.finished > now:
            # The clock has been set back since: it is as old as it can be.
            result = replace(result, finished=now)
            self.state = Known(result)
        when = expires(result, min(limits)) if limits else None
        if when == (None if self._expiry is None else self._expiry.at):
            return
        self._cancel_expiry()
        if when is not None and when <= now:
            self.expire()
        elif when is not None:
            self._expiry = Expiry.after(now, when, clock, self.expire)

    def _cancel_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def expire(self) -> None:
        """The outcome is too old: report it while it is made again."""
        self._cancel_expiry()
        if isinstance(self.state, Known):
            self.state = Unknown(self.state.result)
            self.cache.touch(self)

    # For tests

    def check(self) -> None:
        """Assert what always holds between two steps."""
        match self.state:
            case Making(run):
                assert self.job_id == run.job.id
                assert self.cache.engine.jobs.get(run.job.id) is not None
                assert self._expiry is None
            case Known(result):
                assert self.users
                assert self.conflict is not None or all(
                    demand.target.digest == result.target for demand in self.users.values()
                )
            case Pausing():
                assert self.users
                assert self in self.cache.pausing
                assert self._expiry is None
            case Unknown():
                assert self.users
                assert self.conflict is not None
